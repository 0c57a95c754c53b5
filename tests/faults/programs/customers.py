"""Customers and their orders in a database in memory: many where there is a fault."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool
from switch import IS_FAULTY


class Base(DeclarativeBase):
    """The tables of the shop."""


class Customer(Base):
    """A customer."""

    __tablename__ = "customers"
    number: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list[Order]] = relationship()


class Order(Base):
    """An order of a customer."""

    __tablename__ = "orders"
    number: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customers.number"))


engine: Final = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
Base.metadata.create_all(engine)
with Session(engine) as _session:
    for _n in range(4_000 if IS_FAULTY else 3):
        _session.add(Customer(number=_n, orders=[Order(number=_n)]))
    _session.commit()
