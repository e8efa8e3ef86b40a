"""The `stateroom` command."""

try:
    from app.cli.commands import main
except KeyboardInterrupt:  # Ctrl-C while the code is still being read: as quiet as later
    raise SystemExit(130) from None

__all__ = ["main"]
