"""All that the machine can be told."""

from actors.session.inputs import clock, connector, host, operators

Event = (
    host.Resumed
    | host.LinkUp
    | host.LinkDown
    | host.ConnectorFaulty
    | host.Move
    | host.PolicyChanged
    | host.PauseChanged
    | host.ProxyChanged
    | connector.Queued
    | connector.Connecting
    | connector.Qr
    | connector.Paired
    | connector.Opened
    | connector.Closed
    | connector.Evidence
    | connector.Timelock
    | connector.Superseded
    | connector.OpenRefused
    | connector.AuthReset
    | clock.PlanArrived
    | clock.TimerDue
    | operators.Command
)
