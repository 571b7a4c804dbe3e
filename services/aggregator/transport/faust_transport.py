"""The base of Faust's transports over a Broker."""

from abc import abstractmethod
from typing import Any, ClassVar

from faust.transport import base

from services.aggregator.transport.broker import Broker
from services.aggregator.transport.driver import Consumer
from services.aggregator.transport.producer import Producer


class Transport(base.Transport):
    """Base of the transports: one broker, made when Faust makes the consumer.

    The log is at the `log_url` of the app. The module of a transport has the name of its driver.
    """

    is_shared: ClassVar[bool] = False
    """Whether Faust's producer appends through the transport of its consumer."""
    Consumer: ClassVar[type[Consumer]] = Consumer
    Producer: ClassVar[type[Producer]] = Producer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._broker: Broker | None = None

    @property
    def broker(self) -> Broker:
        """The log of the app."""
        if self._broker is None:
            self._broker = self.create_broker()
        return self._broker

    @abstractmethod
    def create_broker(self) -> Broker:
        """Return the log of the app."""
