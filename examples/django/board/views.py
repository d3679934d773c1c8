"""The departure board."""
from django.http import JsonResponse
from django.shortcuts import render
from django.utils import timezone

from .timetable import departures


def board(request):
    """The board for people."""
    return render(request, "board/index.html", {"departures": departures(timezone.now())})


def departures_json(request):
    """The board for programs."""
    found = {"departures": departures(timezone.now())}
    return JsonResponse(found, json_dumps_params={"ensure_ascii": False})
