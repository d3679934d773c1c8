"""A desktop without a screen: owns the notification service of a session bus, and writes each
notification that it is asked to show as one line of JSON to the file named by its argument."""

import json
import sys

from jeepney import DBusAddress, MessageType, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

ANSWERS = {
    "GetServerInformation": ("ssss", ("test", "IdlerGear", "1", "1.2")),
    "GetCapabilities": ("as", (["body", "body-markup"],)),
    "Notify": ("u", (1,)),
}

bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
connection = open_dbus_connection("SESSION")
connection.send_and_get_reply(
    new_method_call(bus, "RequestName", "su", ("org.freedesktop.Notifications", 4))
)
with open(sys.argv[1], "w") as told:
    while True:
        message = connection.receive()
        if message.header.message_type != MessageType.method_call:
            continue
        member = message.header.fields[3]
        if member == "Notify":
            app, _, _, title, body, actions, hints, timeout = message.body
            told.write(json.dumps({"app": app, "title": title, "body": body}) + "\n")
            told.flush()
        connection.send(new_method_return(message, *ANSWERS[member]))
