"""What runs inside the sandboxed worker of the mathematical checks; the core never imports it."""
