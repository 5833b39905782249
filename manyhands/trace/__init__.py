"""One event stream, shown in a terminal, as HTML, or as OpenTelemetry spans."""
