"""Loading roles and rendering their Modelfiles."""
