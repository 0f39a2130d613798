"""loansvc: an application in; an explained, durable, replayable credit decision out."""

__version__ = "0.1.0"
