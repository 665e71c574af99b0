"""Publishes with the package `pymercure` of 2019 and prints the id: HUB TOKEN TOPIC DATA [TARGET]."""
import sys

from pymercure.message import Message
from pymercure.publisher.sync import SyncPublisher

hub, token, topic, data, *target = sys.argv[1:]
print(SyncPublisher(hub, token).publish(Message([topic], data, *target)))
