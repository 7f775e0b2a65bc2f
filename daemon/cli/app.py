"""All commands of `wavigil`, with the examples that their help ends with."""

import typer

from daemon.cli import (
    audit,
    auth,
    backup,
    doctor,
    history,
    local,
    pair,
    pauses,
    recovery,
    reload,
    send,
    sessions,
    status,
    support,
    tree,
    vault,
)
from daemon.cli.options import alone, connected, examples

ABOUT = """\
Keeps many WhatsApp sessions alive: supervised, scored, healed and observable.

`run` starts the daemon. What shows or changes something talks to it over its HTTP API; \
address and token are found in the same configuration.
"""

app = typer.Typer(
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "wavigil demo                            see it at work, without a phone",
        "wavigil check-config -c wavigil.yaml    is the configuration right?",
        "wavigil run -c wavigil.yaml             start the daemon",
        "wavigil sessions add support-1          add a session …",
        "wavigil pair support-1                  … link it with a phone …",
        "wavigil status                          … and see how it is",
    )
    + "\n\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration.",
)

sessions_app = typer.Typer(
    help="List, add, remove, reconnect, stop, start and log out sessions.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=examples("wavigil sessions list", "wavigil sessions add support-1 --label team:support"),
)

auth_app = typer.Typer(
    help="Import and export linked devices, as folders of Baileys.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=examples(
        "wavigil sessions add support-1 --stopped",
        "wavigil auth import support-1 ./auth_info_baileys",
        "wavigil sessions start support-1",
    ),
)

vault_app = typer.Typer(
    help="How auth states are sealed, and the rotation of the master key.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=examples(
        "wavigil vault status",
        "wavigil vault rotate      after vault.master_key and vault.previous_keys were changed",
    ),
)

recovery_app = typer.Typer(
    help="How well trouble is noticed and healed, what was done about it, and how to hold it back.",
    invoke_without_command=True,
    callback=alone(connected(recovery.summary)),
    rich_markup_mode="rich",
    epilog=examples(
        "wavigil recovery                               the last day, by cause and by strategy",
        "wavigil recovery --window 90d --json",
        "wavigil recovery episodes --open               what is going on",
        "wavigil recovery pause --label team:support --for 2h --reason 'new proxy'",
    ),
)

app.command("run", epilog=examples("wavigil run", "wavigil run --config /etc/wavigil/wavigil.yaml"))(local.run)
app.command("demo", epilog=examples("wavigil demo"))(local.demo)
app.command(
    "check-config",
    epilog=examples(
        "wavigil check-config --config wavigil.yaml",
        "wavigil check-config --origins          which line is each value from?",
        "wavigil check-config > effective.yaml",
    ),
)(local.check_config)
app.command(
    "reload",
    epilog=examples(
        "wavigil reload                          take over the changed configuration",
        "wavigil reload --dry-run                what would change?",
    ),
)(connected(reload.reload))
app.command(
    "status",
    epilog=examples(
        "wavigil status                          all sessions",
        "wavigil status support-1                one, with score and last disconnect",
        "wavigil status --status blocked,error   only those that need you",
        "wavigil status --json | jq '.[] | select(.healthScore < 50) | .sessionId'",
    ),
)(connected(status.status))
app.add_typer(sessions_app, name="sessions")
app.add_typer(auth_app, name="auth")
app.add_typer(vault_app, name="vault")
app.add_typer(recovery_app, name="recovery")
app.command(
    "pair",
    epilog=examples(
        "wavigil pair support-1                        a QR code to scan",
        "wavigil pair support-1 --phone +15550100189   a code to type",
    ),
)(connected(pair.pair))
app.command(
    "send",
    epilog=examples(
        "wavigil send support-1 +15550100189 'Hello'",
        "wavigil send support-1 120363025246125486@g.us 'Hello, group'",
        "wavigil send support-1 +15550100189 'Your order' --id order-1234   never twice",
    ),
)(connected(send.send))
app.command("tree", epilog=examples("wavigil tree", "wavigil tree --json"))(connected(tree.tree))
app.command(
    "audit",
    epilog=examples(
        "wavigil audit --since 24h",
        "wavigil audit --target support-1 --action session.stop",
        "wavigil audit --follow",
    ),
)(connected(audit.audit))
app.command(
    "backup",
    epilog=examples("wavigil backup /backup/wavigil-monday", "wavigil backup --json | jq -r .directory"),
)(backup.backup)
app.command(
    "restore",
    epilog=examples(
        "wavigil restore /backup/wavigil-monday",
        "wavigil restore /backup/wavigil-monday --accept-stale-keys    the devices run nowhere else",
    )
    + "\n\nExit codes: 0 restored, 1 an auth state was refused or something failed, 2 the backup can't be used.",
)(backup.restore)
app.command(
    "doctor",
    epilog=examples(
        "wavigil doctor                          is everything as it should be?",
        "wavigil doctor --deep                   and is every page of the databases sound?",
        "sudo -u wavigil wavigil doctor          as the daemon's user, who may look at everything",
        "wavigil doctor --json | jq '.findings[] | select(.level != \"ok\")'",
    )
    + "\n\nExit codes: 0 nothing fails (there may be warnings), 1 a check fails, 2 wrong usage or configuration.",
)(doctor.doctor)
app.command(
    "support-bundle",
    epilog=examples(
        "wavigil support-bundle                          wavigil-support-TIME.tar.gz, here",
        "wavigil support-bundle -o /tmp/for-support.tar.gz --lines 20000",
        "sudo -u wavigil wavigil support-bundle          as the daemon's user, who may look at everything",
        "tar -xzOf wavigil-support-….tar.gz --wildcards '*/manifest.json'",
    ),
)(support.support_bundle)
app.command("openapi", epilog=examples("wavigil openapi > openapi.json"))(local.openapi)
app.command("version")(local.version)

sessions_app.command(
    "list", epilog=examples("wavigil sessions list", "wavigil sessions list --label team:support --json")
)(connected(sessions.list_))
sessions_app.command(
    "add",
    epilog=examples(
        "wavigil sessions add support-1 --label team:support --label region:eu",
        "wavigil sessions add test-1 --connector simulator",
    ),
)(connected(sessions.add))
sessions_app.command(
    "remove",
    epilog=examples(
        "wavigil sessions remove support-1           its auth state is kept",
        "wavigil sessions remove support-1 --purge   and deleted",
    ),
)(connected(sessions.remove))
sessions_app.command(
    "history",
    epilog=examples(
        "wavigil sessions history support-1",
        "wavigil sessions history support-1 --from 7d --step 1h",
        "wavigil sessions history support-1 --from 30m --step raw --json",
    ),
)(connected(history.history))
sessions_app.command("reconnect", epilog=examples("wavigil sessions reconnect support-1"))(
    connected(sessions.reconnect)
)
sessions_app.command("start", epilog=examples("wavigil sessions start support-1"))(connected(sessions.start))
sessions_app.command("stop", epilog=examples("wavigil sessions stop support-1"))(connected(sessions.stop))
sessions_app.command("logout", epilog=examples("wavigil sessions logout support-1"))(connected(sessions.logout))

recovery_app.command(
    "episodes",
    epilog=examples(
        "wavigil recovery episodes --open                    what is going on",
        "wavigil recovery episodes --session support-1",
        "wavigil recovery episodes --outcome halted --since 7d",
        "wavigil recovery episodes 4711                      one, with what was done and why",
    ),
)(connected(recovery.episodes))
recovery_app.command(
    "pause",
    epilog=examples(
        "wavigil recovery pause support-1                       until it is ended",
        "wavigil recovery pause --label team:support --for 2h --reason 'new proxy'",
        "wavigil recovery pause --all --until 2026-12-01T06:00",
    )
    + "\n\nOpen connections are not touched. `wavigil sessions reconnect` works all the same, once.",
)(connected(pauses.pause))
recovery_app.command(
    "explain",
    epilog=examples(
        "wavigil recovery explain support-1                     why is it not healed?",
        "wavigil recovery explain support-1 --at 15m            what did it do a quarter of an hour ago, and why?",
        "wavigil recovery explain support-1 --at 2026-01-31T08:15:30Z",
    )
    + "\n\nA time in the past replays what was recorded through the same decisions.",
)(connected(recovery.explain))
recovery_app.command(
    "force",
    epilog=examples(
        "wavigil recovery force support-1 reconnect     another connection",
        "wavigil recovery force support-1 restart       … by a fresh actor",
        "wavigil recovery force support-1 failover      a fresh connector process, for all that live there",
    )
    + "\n\nIt is entered in the audit log, and counts as a manual intervention.",
)(connected(recovery.force))
recovery_app.command("pauses", epilog=examples("wavigil recovery pauses", "wavigil recovery pauses --json"))(
    connected(pauses.pauses)
)
recovery_app.command(
    "resume",
    epilog=examples(
        "wavigil recovery resume 7              the pause with that number",
        "wavigil recovery resume support-1      those of that session alone",
        "wavigil recovery resume --all",
    ),
)(connected(pauses.resume))

auth_app.command("import", epilog=examples("wavigil auth import support-1 ./auth_info_baileys"))(
    connected(auth.import_)
)
auth_app.command("export", epilog=examples("wavigil auth export support-1 ./support-1-auth"))(connected(auth.export))

vault_app.command("status", epilog=examples("wavigil vault status", "wavigil vault status --json"))(
    connected(vault.status)
)
vault_app.command(
    "rotate",
    epilog=examples(
        "openssl rand -hex 32 > /etc/wavigil/master.new      the new key, closed to others",
        "vault: {master_key: 'file:/etc/wavigil/master.new', previous_keys: ['file:/etc/wavigil/master.key']}",
        "wavigil vault rotate",
    ),
)(connected(vault.rotate))
