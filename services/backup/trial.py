"""Restores a backup on trial, into an embedded store that is removed afterwards."""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from services.backup import restore
from services.backup.folder import Manifest, Progress
from services.store.interface import StoreError
from services.store.open import open_store

ENGINE = "chdb"


class TrialError(Exception):
    """The trial could not be made: this says nothing about the backup."""


def require_engine() -> None:
    """Raise TrialError if the embedded engine is not installed."""
    if find_spec(ENGINE) is None:
        raise TrialError(
            "the embedded engine is not installed here, so no backup can be restored on trial:"
            " install Luot from requirements/standalone.lock (its extra 'standalone'), or verify"
            " on a machine that has it: luot verify FOLDER"
        )


async def restore_on_trial(folder: Path, manifest: Manifest, scratch: Path, step: Progress) -> None:
    """Restore a backup whose files were checked, and compare every row.

    `scratch` is an absolute path. Raises BackupError if the store then differs from the backup, and
    TrialError if `scratch` has no room or cannot be used.
    """
    require_engine()
    needed = sum(file.bytes for file in manifest.files)
    try:
        free = shutil.disk_usage(scratch).free
        if free < needed:
            raise TrialError(
                f"{scratch} has {free:,} bytes free, and the backup takes {needed:,};"
                " name another folder with --scratch"
            )
        place = tempfile.TemporaryDirectory(prefix="luot-verify-", dir=scratch)
    except OSError as error:
        raise TrialError(f"{scratch} cannot be used: {error.strerror}; see --scratch") from None
    with place as path:
        store = open_store(f"chdb://{quote(path)}/store")
        try:
            await restore.refuse_misfit(store, manifest, manifest.partitions, replace=False)
            await restore.restore(store, folder, manifest, step)
        except StoreError as error:
            raise TrialError(f"the embedded store in {scratch} fails: {error}") from None
        finally:
            await store.close()
