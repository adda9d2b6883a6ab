// Writes tfjs-written.json: models that TensorFlow.js saved, an image each and what TensorFlow.js makes of it.
//     npm install @tensorflow/tfjs@4.22.0 && node tfjs-written.js
const tf = require('@tensorflow/tfjs');
const L = tf.layers;

const round = values => Array.from(values, v => Number(v.toPrecision(7)));
let seed = 1;
const draw = shape => tf.randomUniform(shape, -1, 1, 'float32', seed++);

function sequential() {
  return tf.sequential({layers: [
    L.conv2d({inputShape: [9, 7, 3], filters: 4, kernelSize: [3, 2], strides: 2, padding: 'same', activation: 'relu', name: 'conv'}),
    L.batchNormalization({name: 'norm'}), L.averagePooling2d({poolSize: 3, strides: 2, padding: 'same'}),
    L.flatten(), L.dropout({rate: 0.3}), L.dense({units: 5, activation: 'softmax', useBias: false, name: 'scores'})]});
}

function windows() {
  return tf.sequential({layers: [
    L.conv2dTranspose({inputShape: [3, 4, 2], filters: 3, kernelSize: [4, 2], strides: [2, 3], padding: 'same', activation: 'elu'}),
    L.zeroPadding2d({padding: [[1, 2], [0, 3]]}),
    L.separableConv2d({filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu6'}),
    L.maxPooling2d({poolSize: [2, 3], strides: [1, 2], padding: 'same'}), L.prelu({sharedAxes: [1, 2]}),
    L.depthwiseConv2d({kernelSize: 2, depthMultiplier: 2}), L.conv2d({filters: 5, kernelSize: [1, 2], dilationRate: 2}), L.leakyReLU(), L.globalMaxPooling2d({})]});
}

function functional() {
  const x = tf.input({shape: [4, 3, 2], name: 'image'});
  const a = L.conv2d({filters: 2, kernelSize: 3, padding: 'same', name: 'a'}).apply(x);
  const sum = L.add().apply([a, x]), product = L.multiply().apply([a, x]);
  const rows = L.flatten().apply(L.concatenate().apply([sum, product, x]));
  const others = L.prelu({name: 'slopes'}).apply(L.flatten().apply(L.concatenate({axis: 1}).apply([sum, product])));
  const norm = L.batchNormalization({name: 'norm'}).apply(rows);
  const shared = L.dense({units: 4, activation: 'tanh', name: 'shared'});
  const first = L.dense({units: 4, name: 'first'}).apply(L.concatenate().apply([norm, others]));
  const images = L.reshape({targetShape: [2, -1, 2]}).apply(shared.apply(shared.apply(first)));
  return tf.model({inputs: x, outputs: L.softmax({axis: -1, name: 'out'}).apply(images)});
}

function nested() {
  const x = tf.input({shape: [5, 5, 2]});
  const inner = tf.sequential({layers: [L.conv2d({inputShape: [5, 5, 2], filters: 3, kernelSize: 3, name: 'conv'}), L.reLU({})]});
  const net = tf.sequential();
  net.add(tf.model({inputs: x, outputs: L.globalAveragePooling2d({}).apply(inner.apply(x))}));
  net.add(tf.sequential({layers: [L.dense({inputShape: [3], units: 2, activation: 'sigmoid', name: 'scores'})]}));
  return net;
}

async function main() {
  const written = {};
  for (const make of [sequential, windows, functional, nested]) {
    const model = make();
    model.setWeights(model.weights.map(w => w.name.includes('variance') ? draw(w.shape).abs().add(0.5) : draw(w.shape)));
    const x = draw([2, ...model.inputs[0].shape.slice(1)]), y = model.predict(x);
    await model.save(tf.io.withSaveHandler(async saved => {
      const {weightData, weightSpecs, ...rest} = saved;
      written[make.name] = {model: {...rest, weightsManifest: [{paths: ['weights.bin'], weights: weightSpecs}]},
        weights: Buffer.from(weightData).toString('base64'),
        x: {shape: x.shape, values: round(x.dataSync())}, y: {shape: y.shape, values: round(y.dataSync())}};
      return {modelArtifactsInfo: {dateSaved: new Date(0), modelTopologyType: 'JSON'}};
    }));
  }
  // Initializers, regularizers and constraints say nothing of a trained model.
  const skip = (key, value) => /_(initializer|regularizer|constraint)$/.test(key) ? undefined : value;
  require('fs').writeFileSync('tfjs-written.json', JSON.stringify(written, skip) + '\n');
}
main();
