"""Shared by commands that open the stores themselves, or ask a running Luot instead."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.terminal import fail
from services.runtime.reasons import reason

Data = Annotated[Path | None, typer.Option(help="Data folder of `luot up`.")]


def through_api(data: Path | None) -> bool:
    """Return whether to ask a running Luot instead of opening the store."""
    import os

    from services.settings import variables_of

    if data is None:
        own = os.environ.keys() & variables_of("clickhouse_url")
        return not own and bool(os.environ.keys() & variables_of("token"))
    from services.embedded.data_folder import in_use

    if not (data / "clickhouse").is_dir():
        fail(f"--data {data}: there is no store in it; expected the data folder of `luot up`")
    return in_use(data)


@contextmanager
def clear_store_errors() -> Iterator[None]:
    """End with one message and exit code 2 on the errors that can be expected."""
    import os

    from services.backup.folder import BackupError
    from services.embedded.errors import UpError
    from services.log.errors import LogError, LogInUseError
    from services.settings import SettingsError, variables_of
    from services.state.errors import StateError
    from services.store.interface import StoreError

    errors: Any = (BackupError, LogInUseError, SettingsError, StoreError, UpError, ValueError)
    try:
        yield
    except errors as error:
        fail(str(error))
    except LogError as error:
        if os.environ.keys() & variables_of("log_url"):
            fail(f"the log (LUOT_LOG_URL) cannot be reached: {error}")
        fail(f"Redis (LUOT_REDIS_URL) cannot be reached: {error}")
    except (StateError, OSError) as error:
        fail(f"Redis (LUOT_REDIS_URL) cannot be reached: {reason(error)}")
