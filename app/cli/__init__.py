"""The command line: `stateroom serve`, `migrate`, `check`, `version`.

`commands` reads the arguments, `server` runs the service, `doctor` looks for what is wrong,
`failures` tells it. The only importer of uvicorn and typer.
"""
