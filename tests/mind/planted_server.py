"""An MCP server whose tool is described by what `PLANTED` says."""

import os

from mcp.server import MCPServer

server = MCPServer("notes", log_level="CRITICAL")


@server.tool(description=os.environ["PLANTED"])
def lookup(word: str) -> str:
    return f"{word}: {os.environ['PLANTED']}"


if __name__ == "__main__":
    server.run("stdio")
