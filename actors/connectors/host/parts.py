"""What a connector host consists of, and how it is put together: every part gets those that it works with."""

import functools
from dataclasses import dataclass

from actors.admission.detours import Detours
from actors.admission.queue import Queue
from actors.connectors.host import launch
from actors.connectors.host.args import HostArgs
from actors.connectors.host.boards import board_of, fleet_board
from actors.connectors.host.canaries import Canaries
from actors.connectors.host.clients import Clients
from actors.connectors.host.connectors import Connectors
from actors.connectors.host.gatekeeper import Gatekeeper
from actors.connectors.host.healing import Healing
from actors.connectors.host.heritage import Heritage
from actors.connectors.host.hints import Hints
from actors.connectors.host.journal import Journal
from actors.connectors.host.launch import Place
from actors.connectors.host.news import News
from actors.connectors.host.notices import Notices
from actors.connectors.host.outdated import Outdated
from actors.connectors.host.resends import Resends
from actors.connectors.host.roster import Roster
from actors.connectors.host.sends import Sends
from actors.connectors.host.succession import Succession
from actors.connectors.host.transitions import Transitions
from actors.connectors.host.upkeep import Upkeep
from actors.messages.services import Hint
from actors.runtime.worker import Worker
from actors.settings import shard_name
from actors.store import shard_queries
from actors.store.engine import Database, open_reader, open_writer


@dataclass(frozen=True, slots=True)
class Parts:
    """Of one host; none of them is an actor."""

    database: Database
    """The shard's; written through the journal."""
    api: Database
    """Main's, which is read only."""
    hints: Hints
    upkeep: Upkeep
    roster: Roster
    outdated: Outdated
    sends: Sends
    canaries: Canaries
    news: News
    gate: Gatekeeper
    notices: Notices
    transitions: Transitions
    clients: Clients
    succession: Succession
    healing: Healing


async def assemble(actor: Worker, args: HostArgs, connectors: Connectors) -> Parts:
    """Opens the databases and begins what does not wait for the connector.  Raises StoreError."""
    settings, name, place = args.settings, shard_name(args.shard), Place(args.connector, args.share)
    board = board_of(settings, args.connector)
    database = await open_writer(settings.database(name))
    api = await open_reader(settings.database("api"))

    def hint(consumer: str, upto: int) -> None:
        actor.tell(consumer, Hint(name, upto))

    hints = Hints(hint)
    journal = Journal(database, hints.grown)
    actor.spawn(journal.run(), name="journal")
    upkeep = Upkeep(args.shard, database, journal, api, hints, settings)
    await upkeep.forget_gone()
    roster = Roster(await journal.read(shard_queries.load_states))
    roster.plan(args.sessions)
    await upkeep.leave(roster.leavers())
    link_of = connectors.link_of
    sends = Sends(args.shard, journal, api, link_of, settings.ack_timeout, actor.spawn, hints.awaited)
    canaries = Canaries(settings, link_of, lambda answer: actor.tell("health", answer))
    actor.spawn(canaries.look(), name="key of the canaries")
    resends, heritage = Resends(journal, api, link_of, actor.spawn), Heritage(args.shard, settings, journal, api)
    news = News(journal, sends, hints, resends, canaries, heritage)
    actor.spawn(news.run(), name="news")
    gate = Gatekeeper(
        args.shard,
        board,
        Queue(roster.importance, sends.waits, launch.PAIRINGS),
        link_of,
        fleet=functools.partial(fleet_board, settings, args.connector),
        detours=Detours(roster.proxy),
    )
    gate.use(*launch.bounds_on_connects(settings, args.connector), args.share, roster.running())
    actor.spawn(gate.run(), name="gate")
    outdated, notices = Outdated(roster), Notices(roster, actor.post, actor.myAddress)
    succession = Succession(connectors, sends, roster, settings, name, place, actor.post, crowd=lambda: gate.crowd)
    return Parts(
        database=database,
        api=api,
        hints=hints,
        upkeep=upkeep,
        roster=roster,
        outdated=outdated,
        sends=sends,
        canaries=canaries,
        news=news,
        gate=gate,
        notices=notices,
        transitions=Transitions(journal, hints, roster, outdated, gate, sends, notices, actor.post),
        clients=Clients(connectors, outdated, gate, notices, settings),
        succession=succession,
        healing=Healing(
            connectors, succession.recycling, roster, actor.supervisor, actor.post, actor.spawn, actor.tell, name
        ),
    )
