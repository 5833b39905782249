"""What the mind uses over the network: hands of another machine, and tools of other MCP servers.

The `mcp` package is imported only when one of them is set up.
"""
