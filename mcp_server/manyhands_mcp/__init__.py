"""The MCP door: hands and mind for every client that speaks the Model Context Protocol."""
