"""OpenTelemetry, the only part that imports it: spans of the service go where its variables say."""
