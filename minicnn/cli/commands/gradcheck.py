"""Check layers' backward functions against differences of their forward functions, in float64.

Each layer runs on several small odd shapes. The table has the largest relative error of each gradient, with its place,
and how many entries were checked, or skipped as kinks. With -v every case has its own table. Exit code 1 if one is
wrong.

examples:
  minicnn gradcheck conv2d
  minicnn gradcheck conv2d max_pool2d --backend numpy
  minicnn gradcheck
  minicnn gradcheck relu --seed 7 --json
"""

from ..options import add_backend, add_json, add_seed
from ..output import print_json


def add_arguments(parser):
    parser.add_argument("names", metavar="NAME", nargs="*", help="a layer or loss, as conv2d; all unless given")
    add_backend(parser)
    add_seed(parser)
    add_json(parser)


def run(args):
    from ...gradient_check import layer_names
    from ..gradients import all_ok, as_table, check, worst
    from ..session import backend

    with backend(args) as name:
        checks = check(args.names or layer_names(), seed=args.seed)
    if args.json:
        print_json({"backend": name, "seed": args.seed, "ok": all_ok(checks), "gradients": worst(checks)})
        return 0 if all_ok(checks) else 1
    if args.verbose:
        print(
            *(report._replace(title=case) for _, reports in checks for case, report in reports), sep="\n\n", end="\n\n"
        )
    print(as_table(checks))
    print(f"\n{name} backend, float64: {'all gradients are right' if all_ok(checks) else 'a gradient is WRONG'}")
    return 0 if all_ok(checks) else 1
