"""`python manage.py test`"""
from datetime import datetime, timezone

from django.test import SimpleTestCase

from .timetable import departures


class BoardTest(SimpleTestCase):
    """The board shows what leaves next."""

    def test_the_next_train_comes_first(self):
        found = departures(datetime(2026, 1, 1, 23, 40, tzinfo=timezone.utc), count=2)
        self.assertEqual([train["at"] for train in found], ["23:52", "00:04"])

    def test_both_pages_answer(self):
        self.assertContains(self.client.get("/"), "platform")
        self.assertEqual(len(self.client.get("/departures.json").json()["departures"]), 4)
