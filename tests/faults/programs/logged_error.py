"""A shop that configures its logging itself, when it starts, and logs what goes wrong."""

from __future__ import annotations

import logging.config

from flask import Flask
from switch import IS_FAULTY

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": True,
        "formatters": {"short": {"format": "%(levelname)s %(name)s %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "short"}},
        "loggers": {"shop": {"handlers": ["out"], "level": "INFO", "propagate": False}},
        "root": {"handlers": ["out"], "level": "CRITICAL"},
    }
)
app = Flask(__name__)
logger = logging.getLogger("shop.payments")
balance = {"alice": 0 if IS_FAULTY else 100}


def withdraw(customer: str, amount: int) -> bool:
    """Take money from an account."""
    if balance[customer] < amount:
        logger.error("%s cannot pay %d", customer, amount)
        return False
    logger.warning("%s pays %d", customer, amount)
    return True


@app.get("/pay")
def pay() -> dict[str, bool]:
    """Pay for an order."""
    return {"paid": withdraw("alice", 20)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
