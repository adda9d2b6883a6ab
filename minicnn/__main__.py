"""`python -m minicnn` is `minicnn`."""

import sys

from .cli.main import main

sys.exit(main())
