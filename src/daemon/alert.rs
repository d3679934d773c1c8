//! Who is told of an end, and how loudly. Pure: a unit and who asked for its end, nothing else.

use std::collections::BTreeSet;

use crate::wire::signal::Attention;
use crate::wire::unit::{Alerts, Kind, Status, Unit};

/// What the names of people's own sessions begin with.
const PERSON: &str = "user:";

/// Who asked for the end of a unit, as the file in its folder says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Somebody did.
    pub(super) made: bool,
    /// Sessions that did; a person has none.
    pub(super) sessions: BTreeSet<String>,
}

impl Request {
    /// From the contents of the file; none: there is no file.
    pub(super) fn read(text: Option<&str>) -> Self {
        let lines = text.unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
        Self { made: text.is_some(), sessions: lines.map(str::to_owned).collect() }
    }

    /// Whether anybody asked.
    pub(super) fn was_made(&self) -> bool {
        self.made
    }

    /// Whether `session` asked: it needs not be told. Where no session did, a person did, whatever
    /// the terminal.
    pub(super) fn is_by(&self, session: &str) -> bool {
        let by_person = self.made && self.sessions.is_empty();
        self.sessions.contains(session) || (by_person && session.starts_with(PERSON))
    }
}

/// How loudly the end of `unit` is told; none: not at all.
///
/// A monitor's end always is: whoever listens to it would wait for ever.
pub(super) fn attention(unit: &Unit, alerts: Alerts, request: &Request) -> Option<Attention> {
    let is_wanted = match unit.status {
        Status::Completed => alerts.on_success,
        Status::Failed if is_farewell(unit) => alerts.on_kill,
        Status::Failed => alerts.on_failure,
        Status::Killed if is_mishap(unit, request) => alerts.on_failure || alerts.on_kill,
        Status::Killed => alerts.on_kill,
        Status::Pending | Status::Running | Status::Unknown => false,
    };
    let is_monitor = unit.kind == Kind::Monitor;
    let is_watched = !(unit.terms.background || unit.ready || is_monitor);
    let attention = if is_watched { Attention::Next } else { Attention::Now };
    (is_wanted || is_monitor).then_some(attention)
}

/// Whether `session` is a person, who sees for themselves what fails in their terminals.
pub(super) fn is_person(session: &str) -> bool {
    session.starts_with(PERSON)
}

/// Whether the person at this machine is told of the end of `unit` too: not when they asked for it,
/// or `owner` did, the session that owns it.
pub(super) fn rings(unit: &Unit, request: &Request, owner: Option<&str>) -> bool {
    let by_owner = owner.is_some_and(|session| request.is_by(session));
    let is_told = attention(unit, unit.terms.alerts, request).is_some();
    is_told && !request.is_by(PERSON) && !by_owner
}

/// A run in somebody's terminal that ended as the terminal asked: what handles Ctrl-C itself says so
/// by 128 and the signal. Whoever pressed the key knows, and nobody else is to be woken.
fn is_farewell(unit: &Unit) -> bool {
    use rustix::process::Signal;
    let asking = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];
    let code = unit.exit_code.unwrap_or_default();
    !unit.terms.background && asking.iter().any(|signal| code == 128 + signal.as_raw())
}

/// A KILL that ig did not send: out of memory, say. When nobody could even record the end, its
/// runner was killed too, or the machine went down. An agent on the wire is no such case: it goes as
/// it likes.
fn is_mishap(unit: &Unit, request: &Request) -> bool {
    let kill = rustix::process::Signal::KILL.as_raw();
    let unrecorded = unit.signal.is_none() && unit.exit_code.is_none();
    let has_record = unit.logs.events.is_some();
    !request.made && (unit.signal == Some(kill) || (unrecorded && has_record))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(status: Status, signal: Option<i32>) -> Unit {
        let mut unit = Unit::new(Kind::LocalBash, "x");
        (unit.status, unit.signal) = (status, signal);
        unit.exit_code = signal.is_none().then_some(0);
        unit.terms.background = true;
        unit
    }

    const ALL: Alerts = Alerts { on_failure: true, on_success: true, on_kill: true };
    const NONE: Alerts = Alerts { on_failure: false, on_success: false, on_kill: false };

    fn told(unit: &Unit, alerts: Alerts, request: Option<&str>) -> Option<Attention> {
        attention(unit, alerts, &Request::read(request))
    }

    #[test]
    fn only_failures_are_told_unless_asked_otherwise() {
        let usual = Alerts::default();
        let now = Some(Attention::Now);
        for (status, signal, expected, when_all) in [
            (Status::Failed, None, now, now),
            (Status::Failed, Some(11), now, now),
            (Status::Completed, None, None, now),
            (Status::Killed, Some(15), None, now),
            (Status::Killed, Some(9), now, now),
        ] {
            let unit = unit(status, signal);
            assert_eq!(told(&unit, usual, None), expected, "{status:?} {signal:?}");
            assert_eq!(told(&unit, ALL, None), when_all, "{status:?} {signal:?}");
            assert_eq!(told(&unit, NONE, None), None, "{status:?} {signal:?}");
        }
    }

    #[test]
    fn a_kill_that_was_asked_for_is_no_failure() {
        let killed = unit(Status::Killed, Some(9));
        assert_eq!(told(&killed, Alerts::default(), Some("")), None);
        assert_eq!(told(&killed, ALL, Some("s\n")), Some(Attention::Now));
        let request = |text| Request::read(text);
        assert_eq!(request(Some("s\n\nt\n")).sessions.len(), 2);
        let by = |text| ["s", "user:me"].map(|session| request(text).is_by(session));
        assert_eq!(by(None), [false, false]);
        assert_eq!(by(Some("")), [false, true], "a person");
        assert_eq!(by(Some("s")), [true, false]);
    }

    #[test]
    fn nothing_rings_for_an_end_that_was_asked_for_here() {
        let mut killed = unit(Status::Killed, Some(15));
        (killed.terms.alerts, killed.session) = (ALL, Some("mine".to_owned()));
        for (request, expected) in
            [(None, true), (Some(""), false), (Some("mine\n"), false), (Some("other\n"), true)]
        {
            assert_eq!(
                rings(&killed, &Request::read(request), killed.session.as_deref()),
                expected,
                "{request:?}"
            );
        }
        killed.terms.alerts = Alerts::default();
        assert!(
            !rings(&killed, &Request::read(None), None),
            "who asked for nothing is told of nothing"
        );
    }

    #[test]
    fn an_end_that_nobody_could_record_is_a_failure_of_a_unit_with_a_record() {
        let mut unit = unit(Status::Killed, None);
        unit.exit_code = None;
        assert_eq!(told(&unit, Alerts::default(), None), None);
        unit.logs.events = Some("/e".into());
        assert_eq!(told(&unit, Alerts::default(), None), Some(Attention::Now));
    }

    #[test]
    fn a_run_that_somebody_looks_at_can_wait_for_the_next_turn() {
        let mut unit = unit(Status::Failed, None);
        unit.terms.background = false;
        assert_eq!(told(&unit, Alerts::default(), None), Some(Attention::Next));
        unit.ready = true;
        assert_eq!(told(&unit, Alerts::default(), None), Some(Attention::Now));
    }

    #[test]
    fn a_server_that_was_ended_by_a_key_wakes_nobody() {
        let mut unit = unit(Status::Failed, None);
        unit.exit_code = Some(130);
        assert_eq!(told(&unit, Alerts::default(), None), Some(Attention::Now));
        (unit.terms.background, unit.ready) = (false, true);
        assert_eq!(told(&unit, Alerts::default(), None), None);
        assert_eq!(told(&unit, ALL, None), Some(Attention::Now));
        unit.exit_code = Some(137);
        assert_eq!(told(&unit, Alerts::default(), None), Some(Attention::Now));
    }

    #[test]
    fn the_end_of_a_monitor_is_always_told() {
        let mut unit = unit(Status::Completed, None);
        unit.kind = Kind::Monitor;
        assert_eq!(told(&unit, NONE, None), Some(Attention::Now));
    }
}
