"""A client that locust runs: usual requests, a slow one, one that fails, and the end."""

from __future__ import annotations

import time

from locust import HttpUser, SequentialTaskSet, task


class Visit(SequentialTaskSet):
    """What one user does, once."""

    @task
    def usual(self) -> None:
        """Make the usual requests."""
        for number in range(20):
            self.client.get(f"/items/{number}", name="/items")

    @task
    def slow(self) -> None:
        """Wait for a slow answer."""
        self.client.get("/slow")

    @task
    def settle(self) -> None:
        """Wait for longer than an incident stays open."""
        time.sleep(0.5)

    @task
    def fail(self) -> None:
        """Get an error, and end."""
        self.client.get("/fail")
        self.user.environment.runner.quit()


class Customer(HttpUser):
    """One user."""

    tasks = [Visit]  # noqa: RUF012 locust's own way
