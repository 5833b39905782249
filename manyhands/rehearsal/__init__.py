"""A server that speaks Ollama with scripted models, for demo, tests and dry runs."""
