"""Changes own licences, reports uses, and distributes both to those whom they concern."""
