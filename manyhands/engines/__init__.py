"""Reaching models: Ollama and OpenAI-compatible servers."""
