"""`python -m benchmarks.longer_runs aggregator` folds as many KiB at once as it is told."""

import os

from services.aggregator import faust_app
from services.cli.main import main

KIBIBYTES = "RUN_KIBIBYTES"

if __name__ == "__main__":
    faust_app.RUN_BYTES = int(os.environ[KIBIBYTES]) << 10
    main()
