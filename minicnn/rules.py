"""Looking a rule up. A rule is a backward function, rule(dout, cache) -> dx; the true gradient is the default.

Rules are given as a dictionary whose keys are

    "conv1"          a node's name
    callable         a predicate of the node (its .name, .layer, .inputs)
    ReLU             a layer type, subclasses included

A name beats a predicate, a predicate beats a type, a nearer type beats its base, any of them beats the default.
Mechanism only: the edited gradients themselves stand in vis/rules.py.
"""

from .errors import UnknownNameError


def resolve(rules, nodes):
    """{node name: rule} for the nodes to which a key applies.

    Raises UnknownNameError for a key that matches no node: a misspelt rule would silently be no rule.
    """
    resolved = {}
    by_name = {node.name: node for node in nodes}
    types = {key: rule for key, rule in rules.items() if isinstance(key, type)}
    names = {key: rule for key, rule in rules.items() if isinstance(key, str)}
    predicates = {key: rule for key, rule in rules.items() if key not in types and key not in names}

    used = set()
    for node in nodes:
        for base in type(node.layer).__mro__:
            if base in types:
                resolved.setdefault(node.name, types[base])
                used.add(base)
    for matches, rule in predicates.items():
        for node in nodes:
            if matches(node):
                resolved[node.name] = rule
                used.add(matches)
    for name, rule in names.items():
        if name in by_name:
            resolved[name] = rule
            used.add(name)

    for key in rules:
        if key not in used:
            _refuse(key, nodes)
    return resolved


def _refuse(key, nodes):
    if isinstance(key, type):
        present = sorted({type(node.layer).__name__ for node in nodes})
        raise UnknownNameError("node of the type", key.__name__, present)
    if callable(key):
        raise UnknownNameError(
            "node that the predicate accepts,", getattr(key, "__name__", key), [n.name for n in nodes]
        )
    raise UnknownNameError("node", key, [node.name for node in nodes])
