"""What `wavigil vault status` says."""

from daemon.cli.vault import sentence


def test_how_far_a_rotation_is() -> None:
    rotation = {"sessions": 40, "left": 28, "damaged": 0}
    said = "the master key is being rotated: "
    assert sentence({"rotation": rotation}) == f"{said}12 of 40 sessions are done"
    damaged = sentence({"rotation": rotation | {"damaged": 2}})
    assert damaged == f"{said}10 of 40 sessions are done, 2 open with no configured key"
    waiting = sentence({"rotation": rotation | {"left": 0}})
    assert waiting == f"{said}40 of 40 sessions are done; it ends when nobody reads vault.db, as a backup does"
