"""Which trains leave next; a timetable that repeats every hour."""
from datetime import datetime, timedelta

# Minute past the hour, destination, platform.
TRAINS = [(4, "Lisbon", 1), (19, "Kraków", 3), (31, "Oslo", 2), (52, "Trieste", 1)]


def departures(now: datetime, count: int = 4) -> list[dict]:
    """The next `count` trains after `now`."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    found = []
    while len(found) < count:
        for minute, destination, platform in TRAINS:
            leaves = hour + timedelta(minutes=minute)
            if leaves > now and len(found) < count:
                found.append({"at": f"{leaves:%H:%M}", "to": destination, "platform": platform})
        hour += timedelta(hours=1)
    return found
