import itertools

import numpy as np
import pytest

from minicnn.train.outlines import OUTLINES
from minicnn.train.shapes import CLASSES, Shapes


@pytest.fixture(scope="module")
def drawn():
    shapes = Shapes(seed=5)
    return [(shapes.item(i), shapes.ground(i)) for i in range(150)]


def test_the_mask_is_where_the_shape_changed_the_ground(drawn):
    for item, ground in drawn:
        assert item.image.shape == ground.shape == (3, 64, 64) and item.image.dtype == ground.dtype == np.uint8
        assert item.mask.dtype == bool
        assert (item.mask == (item.image != ground).any(axis=0)).all()


def test_boxes_are_tight(drawn):
    for item, _ in drawn:
        covered = [(x, y) for y in range(64) for x in range(64) if item.mask[y, x]]
        xs, ys = zip(*covered)
        assert item.box == (min(xs), min(ys), max(xs) + 1, max(ys) + 1)


def test_shapes_are_whole_and_of_a_size_to_be_seen(drawn):
    for item, _ in drawn:
        left, top, right, bottom = item.box
        assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
        assert 0.04 * 64**2 <= item.mask.sum() <= 0.25 * 64**2


def test_the_edge_is_smooth(drawn):
    # The pixels at the edge lie between the two sides: few are as far from the ground as the inside is.
    for item, ground in drawn:
        m = item.mask
        inside = m[1:-1, 1:-1] & m[:-2, 1:-1] & m[2:, 1:-1] & m[1:-1, :-2] & m[1:-1, 2:]
        change = np.abs(item.image.astype(int) - ground).max(axis=0)[1:-1, 1:-1]
        assert change[m[1:-1, 1:-1] & ~inside].mean() < 0.85 * change[inside].mean()
        assert np.percentile(change[inside], 5) > 65, "a shape that does not stand out"


def test_a_picture_depends_on_seed_and_number_alone():
    first, again = Shapes(3), Shapes(3)
    forwards = {i: first.item(i) for i in (0, 1, 2, 10**9)}
    for i in (2, 10**9, 0, 1):
        one, two = forwards[i], again.item(i)
        assert (one.image == two.image).all() and (one.mask == two.mask).all()
        assert one.label == two.label and one.box == two.box
    for a, b in itertools.combinations(forwards.values(), 2):
        assert (a.image != b.image).any()
    assert (Shapes(4).item(0).image != forwards[0].image).any()


def test_batch():
    shapes = Shapes(3, size=32)
    images, labels = shapes.batch(np.array([4, 2]))
    assert images.shape == (2, 3, 32, 32) and images.dtype == np.uint8 and labels.dtype == np.int64
    for image, label, i in zip(images, labels, (4, 2)):
        assert (image == shapes.item(i).image).all() and label == shapes.item(i).label


def test_classes_are_in_alphabetical_order_and_equally_many():
    assert list(CLASSES) == sorted(OUTLINES) == list(Shapes.classes) and len(CLASSES) >= 8
    labels = [Shapes(0, size=8).item(i).label for i in range(500)]
    counts = np.bincount(labels, minlength=len(CLASSES))
    assert counts.min() > 25 and counts.max() < 80


def inside(points, x, y):
    """Even-odd rule: an odd number of edges cross the ray to the right."""
    odd = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0)):
        if ay != by:
            odd ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    return odd


@pytest.mark.parametrize("name", OUTLINES)
def test_outlines_have_one_area_and_one_middle(name):
    y, x = np.mgrid[-1.2:1.2:301j, -1.2:1.2:301j]
    covered = np.zeros(x.shape, bool)
    for value, points in OUTLINES[name]:
        assert np.abs(points).max() < 1.2
        covered[inside(points, x, y)] = value
    pixel = (2.4 / 300) ** 2
    assert abs(covered.sum() * pixel - 1) < 0.02
    assert abs(x[covered].mean()) < 0.01 and abs(y[covered].mean()) < 0.01


def test_outlines_differ():
    y, x = np.mgrid[-1.2:1.2:61j, -1.2:1.2:61j]
    seen = [
        np.logical_xor.reduce([inside(points, x, y) for _, points in outline]) for outline in OUTLINES.values()
    ]  # a hole lies inside
    for a, b in itertools.combinations(seen, 2):
        assert (a != b).sum() > 0.1 * a.sum()


def test_colour_ground_size_and_place_do_not_give_the_class_away():
    """The nearest mean of these numbers is right by chance alone."""
    shapes = Shapes(1, size=32)
    numbers, labels = [], []
    for i in range(600):
        item, ground = shapes.item(i), shapes.ground(i).astype(float)
        y, x = np.nonzero(item.mask)
        colour = np.median(item.image[:, item.mask], axis=1)
        far = np.hypot(x.mean() - 15.5, y.mean() - 15.5)
        of_ground = [*ground.mean(axis=(1, 2)), ground.std(), np.abs(np.diff(ground)).mean()]
        # the covered part, from the channel in which shape and ground differ most
        change = np.abs(item.image - ground).max(axis=0)
        area = (change / np.percentile(change[item.mask], 75)).clip(0, 1).sum()
        numbers.append([*colour, *of_ground, area, x.mean(), y.mean(), far])
        labels.append(item.label)
    numbers, labels = np.array(numbers), np.array(labels)
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    means = np.stack([numbers[:400][labels[:400] == label].mean(axis=0) for label in range(len(CLASSES))])
    guessed = ((numbers[400:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (guessed == labels[400:]).mean() < 0.2


def test_the_zoo_knows_the_names_of_the_classes():
    from minicnn import zoo

    assert zoo.entry("shapes_vgg").labels == CLASSES
