"""The notebook door: magics, the chat persona, the live panel."""
