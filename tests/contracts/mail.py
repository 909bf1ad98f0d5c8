"""The port Mail: a message arrives as it was written, or the sender hears why not."""

from typing import Protocol

import pytest

from eishro.domain.messages.port import Mail, Message

ARABIC = Message(
    to="salma@example.ly",
    subject="تم استلام طلبك رقم 7KQ4 – شكرا لك، نتمنى لك تجربة تسوق ممتعة معنا دائما",
    text="مرحبا سلمى،\n\nرابط الدفع: https://shop.example.ly/pay?token=a.b-c_d=&x=1\n.\n..\nشكرا\n",
    links=("https://shop.example.ly/pay?token=a.b-c_d=&x=1",),
)


class Arrived(Protocol):
    """Recipient, subject and text of every mail that arrived, oldest first."""

    def __call__(self) -> list[tuple[str, str, str]]: ...


@pytest.mark.anyio
class MailContract:
    """Subclass it and provide the fixtures `mail` and `arrived`."""

    async def test_an_arabic_mail_arrives_as_written(self, mail: Mail, arrived: Arrived) -> None:
        await mail.send(ARABIC)
        assert arrived() == [(ARABIC.to, ARABIC.subject, ARABIC.text)]

    async def test_a_check_sends_nothing(self, mail: Mail, arrived: Arrived) -> None:
        await mail.check()
        assert arrived() == []

    async def test_a_long_mail_arrives_whole(self, mail: Mail, arrived: Arrived) -> None:
        text = "سطر طويل جدا " * 5_000 + "\n" + "x" * 5_000 + "\n"
        await mail.send(Message(to="a@example.ly", subject="s", text=text))
        assert arrived() == [("a@example.ly", "s", text)]

    async def test_mails_arrive_in_order(self, mail: Mail, arrived: Arrived) -> None:
        for number in range(5):
            await mail.send(Message(to="a@example.ly", subject=f"{number}", text="t\n"))
        assert [subject for _, subject, _ in arrived()] == ["0", "1", "2", "3", "4"]
