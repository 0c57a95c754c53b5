"""What a link to a page of Jaeger or Grafana finds, asked of the API that the page asks.

Neither page is there: the Jaeger that `make backends` builds has no web pages, and Grafana is none
of the backends. What their pages do with a URL is done here instead.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess
from tests.support.receivers.otlp_messages import ReceivedSpan


def followed_in_jaeger(jaeger: JaegerProcess, url: str) -> list[dict[str, Any]]:
    """Return the traces that Jaeger's page at a URL shows, in Jaeger's own JSON.

    `/trace/<id>` asks for that trace, `/search?…` passes its parameters on as they are.
    """
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == jaeger.query_url
    page, _, trace_id = parts.path.lstrip("/").partition("/")
    if page == "trace":
        found = jaeger.trace(trace_id)
        return [] if found is None else [found]
    assert page == "search"
    answer = jaeger.get_json("query", "/api/traces", dict(parse_qsl(parts.query)))
    return list(answer["data"] or [])


def marked_by_jaeger(trace: dict[str, Any], url: str) -> list[dict[str, Any]]:
    """Return the spans of a trace that its page opens, as the URL asks for by `uiFind`.

    What is asked for are ids of spans, values of tags, or both of a tag.
    """
    wanted = dict(parse_qsl(urlsplit(url).query))["uiFind"].split()
    return [
        span
        for span in trace["spans"]
        if span["spanID"] in wanted
        or any(
            each in {str(tag["value"]), f"{tag['key']}={tag['value']}"}
            for tag in span["tags"]
            for each in wanted
        )
    ]


def followed_in_grafana(tempo: TempoProcess, url: str) -> list[ReceivedSpan]:
    """Return the spans that Grafana's Explore page at a URL shows, with this Tempo as its source.

    A query of hexadecimal digits asks for a trace, any other is TraceQL within the pane's time.
    """
    parameters = dict(parse_qsl(urlsplit(url).query))
    (pane,) = json.loads(parameters["panes"]).values()
    (query,) = pane["queries"]
    if all(digit in "0123456789abcdef" for digit in query["query"]):
        return tempo.stored_spans(query["query"])
    start_ms, end_ms = int(pane["range"]["from"]), int(pane["range"]["to"])
    seconds = {"start": start_ms // 1000, "end": -(-end_ms // 1000)}
    asked = {"q": query["query"], "limit": query["limit"], **seconds}
    answer = tempo.get_json("query", "/api/search", asked)
    trace_ids = [found["traceID"].zfill(32) for found in answer.get("traces") or []]
    return [span for trace_id in trace_ids for span in tempo.stored_spans(trace_id)]
