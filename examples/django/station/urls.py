"""Two pages: the board, and the same for programs."""
from django.urls import path

from board import views

urlpatterns = [
    path("", views.board),
    path("departures.json", views.departures_json),
]
