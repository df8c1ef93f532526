import asyncio

import pytest

from brewblox_service.events import EventBus, topic_matches


@pytest.mark.parametrize(
    ("pattern", "topic", "matches"),
    [
        ("#", "any/thing", True),
        ("spark/#", "spark/one/state", True),
        ("spark/#", "spark", True),
        ("spark/+/state", "spark/one/state", True),
        ("spark/+/state", "spark/one/two/state", False),
        ("spark/+", "spark", False),
        ("spark", "spark/one", False),
        ("#/spark", "one/spark", False),
    ],
)
def test_topic_matches_as_mqtt_does(pattern: str, topic: str, matches: bool) -> None:
    assert topic_matches(pattern, topic) is matches


def test_a_slow_listener_loses_the_oldest_events() -> None:
    async def received() -> list[int]:
        bus = EventBus(queue_size=2)
        with bus.subscribe("t") as subscription:
            for number in range(5):
                bus.publish("t", number)
            events = aiter(subscription)
            return [(await anext(events)).payload for _ in range(2)]

    assert asyncio.run(received()) == [3, 4]


def test_nobody_listens_after_the_context() -> None:
    bus = EventBus()
    with bus.subscribe("#"):
        assert bus.publish("t", None) == 1
    assert bus.publish("t", None) == 0
    assert bus.listeners == 0
