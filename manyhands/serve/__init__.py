"""The one process that owns the models of a machine; read `service.py` first, then `client.py`."""
