"""Pages that can read the next page, for either face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from eventstore.core.pages import PageOf

__all__ = ["AsyncPage", "Page"]

T = TypeVar("T")


class Page(PageOf[T], Generic[T]):
    """One page of a listing. Iterating it gives its own items; ``.iter()`` reads on to the end."""

    _next: Callable[[str], Page[T]] | None = None

    @classmethod
    def of(cls, found: PageOf[T], following: Callable[[str], Page[T]]) -> Page[T]:
        """Return the found items as a page that can read the next one.

        Args:
            found: Items and cursor.
            following: Lists again, from a cursor on.
        """
        page: Page[T] = Page.model_construct(data=found.data, next_cursor=found.next_cursor)
        object.__setattr__(page, "_next", following)
        return page

    def iter(self) -> Iterator[T]:
        """Yield every item of this page and of those after it.

        Raises:
            InvalidInput: the page was pickled or made by hand, and others come after it.
        """
        page: Page[T] = self
        yield from page.data
        while page.next_cursor is not None:
            if page._next is None:
                raise page._alone()
            page = page._next(page.next_cursor)
            yield from page.data


class AsyncPage(PageOf[T], Generic[T]):
    """One page of a listing. Iterating it gives its own items; ``.iter()`` reads on to the end."""

    _next: Callable[[str], Awaitable[AsyncPage[T]]] | None = None

    @classmethod
    def of(
        cls, found: PageOf[T], following: Callable[[str], Awaitable[AsyncPage[T]]]
    ) -> AsyncPage[T]:
        """Return the found items as a page that can read the next one.

        Args:
            found: Items and cursor.
            following: Lists again, from a cursor on.
        """
        page: AsyncPage[T] = AsyncPage.model_construct(
            data=found.data, next_cursor=found.next_cursor
        )
        object.__setattr__(page, "_next", following)
        return page

    async def iter(self) -> AsyncIterator[T]:
        """Yield every item of this page and of those after it.

        Raises:
            InvalidInput: the page was pickled or made by hand, and others come after it.
        """
        page: AsyncPage[T] = self
        while True:
            for item in page.data:
                yield item
            if page.next_cursor is None:
                return
            if page._next is None:
                raise page._alone()
            page = await page._next(page.next_cursor)
