"""Gradient checks as a table: one line a gradient, the worst of a layer's cases."""

from ..gradient_check import check_layer
from .output import table


def check(names, backend=None, seed=0):
    """[(layer's name, [(case, Report), ...]), ...]; raises UnknownNameError before anything is checked."""
    return [(name, check_layer(name, backend, seed)) for name in names]


def all_ok(checks):
    return all(report.ok for _, reports in checks for _, report in reports)


def worst(checks):
    """One dictionary a layer and gradient: the largest error over the cases, and where it is."""
    lines = []
    for name, reports in checks:
        found = [(row, case, report.tol) for case, report in reports for row in report.rows]
        for gradient in dict.fromkeys(row.name for row, _, _ in found):
            rows = [(row, case, tol) for row, case, tol in found if row.name == gradient]
            row, case, tol = max(rows, key=lambda r: (not r[0].ok(r[2]), r[0].error))
            lines.append(
                {
                    "layer": name,
                    "gradient": gradient,
                    "error": row.error,
                    "where": row.where,
                    "case": case,
                    "checked": sum(r.checked for r, _, _ in rows),
                    "kinks": sum(r.kinks for r, _, _ in rows),
                    "ok": row.ok(tol),
                }
            )
    return lines


def as_table(checks):
    lines = worst(checks)
    head = ["layer", "", "largest error", "at", "checked", "kinks", "", "in"]
    return table(
        head,
        [
            [
                line["layer"],
                line["gradient"],
                f"{line['error']:.1e}",
                line["where"],
                line["checked"],
                line["kinks"],
                "ok" if line["ok"] else "WRONG",
                line["case"],
            ]
            for line in lines
        ],
    )
