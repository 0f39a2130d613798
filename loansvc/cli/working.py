"""worker: the process that decides the rows of batches, and tells clients what happened."""

from __future__ import annotations

import logging
import signal
import threading
from functools import partial
from typing import Any

import click

from loansvc.application import Application
from loansvc.batching.working import Working
from loansvc.errors import LoanError
from loansvc.ledger.variants import Bounds
from loansvc.probing import Watch
from loansvc.registry import Registry
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting, new_id
from loansvc.web import logs
from loansvc.web.schemas import load_application
from loansvc.webhooks.working import Delivering

log = logging.getLogger("loansvc.worker")
LOOK_SECONDS = 0.1  # between looks for signals while webhooks are sent
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command()
@click.option(
    "--once",
    is_flag=True,
    help="End when nothing waits that this worker may take, or is due to be sent.",
)
def worker(*, once: bool) -> None:
    """Decide the rows of batches and send webhooks, until told to stop (SIGTERM).

    HUP reads the editions again.
    """
    # Before any thread starts; looked at between pieces, so that none is interrupted by a handler.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    settings = Settings.from_environment()
    logs.install(settings.log_level)
    root = Underwriting.open(settings)
    root.check_ready()
    log.info("worker: batches of %s", settings.home.absolute())
    stop = threading.Event()
    told = partial(_is_told_to_stop, stop, root, settings)
    working = _working(root, settings)
    delivering = Delivering(root.ledger, root.clock, days_kept=settings.webhook_days)
    webhooks = threading.Thread(target=delivering.run, args=(stop,), kwargs={"once": once})
    if once:
        working.run(told, once=True)
        webhooks.start()  # now, so that what the batches told of goes out too
        while webhooks.is_alive():
            webhooks.join(LOOK_SECONDS)
            told(0)
        return
    webhooks.start()
    try:
        working.run(told)
    finally:
        stop.set()
        webhooks.join()


def _is_told_to_stop(
    stop: threading.Event, root: Underwriting, settings: Settings, seconds: float
) -> bool:
    """Whether a signal has come, within so many seconds, that means to stop; HUP is seen to."""
    came = signal.sigtimedwait(SIGNALS, seconds)
    if came is not None and came.si_signo == signal.SIGHUP:
        _reload(root, settings)
    elif came is not None:
        stop.set()
    return stop.is_set()


def _working(root: Underwriting, settings: Settings) -> Working:
    def read(document: Any) -> Application:
        codes = root.registry.village_codes
        return load_application(document, today=root.today(), village_codes=codes)

    bounds = Bounds(unnoticed=settings.probing_flag, most=settings.probing_limit)
    entry_id = partial(new_id, "adm")
    return Working(
        root, read, watch=lambda client: Watch(client, bounds, entry_id),
        days_kept=settings.batch_days,
    )  # fmt: skip


def _reload(root: Underwriting, settings: Settings) -> None:
    """Take what was published since; where the folder is wrong, go on with what is at hand."""
    try:
        root.registry = Registry.open(settings.models_folder)
        log.info("worker: editions read again")
    except LoanError as error:
        log.error("not reloaded, the editions stay as they are: %s", error.detail)


COMMANDS = (worker,)
