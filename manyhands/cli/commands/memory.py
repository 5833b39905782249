"""`manyhands memory`: what is remembered, in the user's hands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manyhands.clean import clean
from manyhands.cli.given import read_stdin
from manyhands.cli.hits import day_of, hit_as_json, line_of, show_hit
from manyhands.cli.memories import scopes, with_memory
from manyhands.errors import InputError

if TYPE_CHECKING:
    from manyhands.memory import Hit, Memory
    from manyhands.memory.rows import Row

__all__ = ["command"]


@click.group("memory")
def command() -> None:
    """What is remembered: find it, correct it, make it forgotten.

    A memory belongs to the project that you are in (its repository or folder); --everywhere looks
    into all of them.
    """


@command.command("add")
@click.argument("text", nargs=-1, required=True)
@click.option("--kind", default="fact", show_default=True, help="fact, lesson, episode, …")
@click.option("--id", "item_id", default="", help="Its id; made from the text when not given.")
@click.option("--subject", default="", help="What a fact is about; a newer one supersedes it.")
@click.option("--tag", "tags", multiple=True, help="Repeatable.")
@click.option("--source", default="", help="Where it comes from.")
@click.option("--global", "global_", is_flag=True, help="It belongs to no project.")
def add(
    text: tuple[str, ...], kind: str, item_id: str, subject: str, tags: tuple[str, ...],
    source: str, global_: bool,
) -> None:  # fmt: skip
    """Remember TEXT (`-` reads it from standard input) on your word."""
    import hashlib

    told = read_stdin() if text == ("-",) else " ".join(text)
    name = item_id or f"{kind}-{hashlib.blake2b(told.encode(), digest_size=5).hexdigest()}"

    async def work(memory: Memory) -> None:
        raw = {
            "id": name, "kind": kind, "text": told, "subject": subject, "tags": tags,
            "source": source or "said by the user",
        }  # fmt: skip
        written = await memory.add(raw)
        done = "remembered" if written.new else "changed" if written.changed else "known already"
        click.echo(f"{name}: {done}")
        for other in written.superseded:
            click.echo(f"  supersedes {other}")
        for row in await memory.contradictions(name):
            if not row.superseded_by:
                click.echo(clean(f"  stands beside {row.item.id}: {row.item.text[:80]}"))

    with_memory(work, everywhere=global_)


@command.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--kind", "kinds", multiple=True, help="Only this kind; repeatable.")
@click.option("--tag", "tags", multiple=True, help="Only what has this tag; repeatable.")
@click.option("--since", default="", help="Only what is newer, e.g. 2026-01-31.")
@click.option("--until", default="", help="Only what is older.")
@click.option("--everywhere", is_flag=True, help="In all projects.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_(
    limit: int, kinds: tuple[str, ...], tags: tuple[str, ...], since: str, until: str,
    everywhere: bool, as_json: bool,
) -> None:  # fmt: skip
    """What is remembered here, the newest first."""
    from manyhands.memory.transfer import as_json as told

    async def work(memory: Memory) -> list[Row]:
        found = await memory.newest(
            scope=scopes(everywhere), kinds=kinds or None, tags=tags, since=since, until=until,
            limit=limit + 1,
        )  # fmt: skip
        if kinds and not found and not as_json:
            there = ", ".join((await memory.stats())["kinds"])
            click.echo(f"Kinds that are remembered, in all projects: {there or 'none'}.", err=True)
        return found

    rows = with_memory(work, words_only=True, read_only=True)
    if as_json:
        click.echo(json.dumps([told(row) for row in rows[:limit]], ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("Nothing of that is remembered here. --everywhere looks in all projects.")
    for row in rows[:limit]:
        click.echo(clean(line_of(row)))
    if len(rows) > limit:
        click.echo(f"There are more than {limit}: --limit shows them.", err=True)


@command.command("search")
@click.argument("query", nargs=-1, required=True)
@click.option("-k", default=10, show_default=True, help="At most so many hits.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind; repeatable.")
@click.option("--since", default="", help="Only what is newer, e.g. 2026-01-31.")
@click.option("--until", default="", help="Only what is older.")
@click.option("--tokens", default=0, help="At most so many tokens together.")
@click.option("--everywhere", is_flag=True, help="In all projects.")
@click.option("--words", is_flag=True, help="By words alone; no model server is asked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def search(
    query: tuple[str, ...], k: int, kinds: tuple[str, ...], since: str, until: str, tokens: int,
    everywhere: bool, words: bool, as_json: bool,
) -> None:  # fmt: skip
    """Find what is remembered about QUERY, best first."""
    hits = _search(
        " ".join(query), k=k, kinds=kinds or None, since=since, until=until,
        budget_tokens=tokens or None, everywhere=everywhere, words=words,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps([hit_as_json(hit) for hit in hits], ensure_ascii=False, indent=2))
        return
    if not hits:
        click.echo("Nothing is remembered about that here. --everywhere looks in all projects.")
    for hit in hits:
        show_hit(hit)


@command.command("why")
@click.argument("query", nargs=-1, required=True)
@click.option("-k", default=5, show_default=True)
@click.option("--everywhere", is_flag=True, help="In all projects.")
@click.option("--words", is_flag=True, help="By words alone; no model server is asked.")
def why(query: tuple[str, ...], k: int, everywhere: bool, words: bool) -> None:
    """Explain the ranking for QUERY: each signal's part in each score."""
    from manyhands.memory.signal_names import SIGNALS_TOLD, Signal

    async def work(memory: Memory) -> None:
        hits = await memory.recall(" ".join(query), k=k, scope=scopes(everywhere))
        question = memory.explain(" ".join(query))
        click.echo(f"looked up by the stems: {' '.join(question.stems) or '(none)'}")
        click.echo(f"vectors: {question.model or 'none, words alone'}")
        for hit in hits:
            show_hit(hit)
            click.echo(f"    profile: {hit.profile}")
            for name in sorted(hit.parts, key=lambda part: -abs(hit.parts[part])):
                click.echo(f"    {hit.parts[name]:+.3f}  {name:14} {SIGNALS_TOLD[Signal(name)]}")

    with_memory(work, words_only=words, notices=True)


@command.command("show")
@click.argument("item_id")
def show(item_id: str) -> None:
    """All that is known of one memory; its id may be shortened while it is unique."""

    async def work(memory: Memory) -> None:
        row = await memory.show(await memory.whole_id(item_id))
        item = row.item
        for name, value in (
            ("id", item.id), ("kind", item.kind), ("trust", item.trust), ("scope", item.scope),
            ("source", item.source), ("context", item.context), ("speaker", item.speaker),
            ("time", day_of(item.time)), ("added", day_of(row.added)), ("subject", item.subject),
            ("valid from", day_of(row.valid_from)), ("valid to", day_of(row.valid_to)),
            ("superseded by", row.superseded_by), ("tags", ", ".join(item.tags)),
            ("meta", json.dumps(dict(item.meta), ensure_ascii=False) if item.meta else ""),
        ):  # fmt: skip
            if value:
                click.echo(clean(f"{name:>13}  {value}"))
        click.echo(clean(f"\n{item.text}"))
        for other in await memory.contradictions(item.id):
            state = f"superseded by {other.superseded_by}" if other.superseded_by else "holds"
            told = f"\non the same subject, {state}: {other.item.id}: {other.item.text[:200]}"
            click.echo(clean(told))

    with_memory(work, words_only=True, read_only=True)


@command.command("edit")
@click.argument("item_id")
@click.option("--text", default=None, help="The new text; without it your editor opens.")
@click.option("--confirm", is_flag=True, help="Make a proposal the fact it wants to be.")
def edit(item_id: str, text: str | None, confirm: bool) -> None:
    """Correct a memory, or confirm what a model proposed."""

    async def work(memory: Memory) -> None:
        name = await memory.whole_id(item_id)
        if confirm:
            await memory.confirm(name)
            click.echo(f"{name}: confirmed")
            return
        old = (await memory.show(name)).item.text
        if text is None and not sys.stdin.isatty():
            raise InputError("There is no terminal for an editor.", hint='Give --text "…".')
        new = text if text is not None else click.edit(old)
        if new is None or new == old:
            click.echo(f"{name}: as it was")
            return
        await memory.edit(name, text=new)
        click.echo(f"{name}: changed")

    with_memory(work)


@command.command("forget")
@click.argument("ids", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-runs", is_flag=True, help="Leave the runs that recalled them as they are.")
def forget(ids: tuple[str, ...], yes: bool, keep_runs: bool) -> None:
    """Remove memories from every table, index and log, down to the bytes of the files.

    Runs that recalled them keep their place in the journal and lose their texts.
    """
    from manyhands.settings import load_settings

    async def look(memory: Memory) -> list[str]:
        whole = [await memory.whole_id(item_id) for item_id in ids]
        for name in whole if not yes else ():
            await memory.show(name)
        return whole

    names = with_memory(look, words_only=True, read_only=True)
    if not yes:
        click.confirm(f"Forget {', '.join(names)} for good?", abort=True)

    async def work(memory: Memory) -> None:
        journal = None if keep_runs else load_settings().journal.path
        done = await memory.forget(names, journal=journal)
        what = f": {', '.join(done.ids)}" if done.ids else "."
        click.echo(f"{done.items} of {len(names)} forgotten{what}")
        for run in done.runs:
            click.echo(f"  the run {run} had recalled it; its texts are erased")
        if done.left:
            click.echo(done.left, err=True)
        if done.unknown:
            raise InputError(f"There is no memory {', '.join(map(repr, done.unknown))}.")

    with_memory(work, words_only=True)


@command.command("encrypt")
@click.option("--undo", is_flag=True, help="Make an encrypted memory plain again.")
def encrypt(undo: bool) -> None:
    """Encrypt the memory file with the key that memory.key_env names.

    No other process may have it open. The journal is not part of it.
    """
    from manyhands.memory.encrypting import change_key, is_encrypted
    from manyhands.settings import load_settings

    settings = load_settings().memory
    if settings.url:
        raise InputError("memory.url names a server, which does its own encryption.")
    key = settings.key()
    if not key:
        raise InputError(
            "memory.key_env names no variable.",
            hint="Set it to the name of the variable that holds the key.",
        )
    if not settings.path.exists():
        click.echo(f"{settings.path}: not there yet; it will be encrypted when it is made")
        return
    if is_encrypted(settings.path) is not undo:
        click.echo(f"{settings.path}: is {'plain' if undo else 'encrypted'} already")
        return
    change_key(settings.path, key if undo else "", "" if undo else key)
    more = "; now empty memory.key_env" if undo else ""
    click.echo(f"{settings.path}: {'plain' if undo else 'encrypted'}{more}")


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False), default="-")
@click.option("--here", is_flag=True, help="Only this project.")
def export(file: str, here: bool) -> None:
    """Write all memories to FILE (`-`: standard output) as JSON lines."""
    from manyhands.memory.opening import project_of
    from manyhands.trace.lines import counted

    async def work(memory: Memory) -> list[str]:
        return await memory.export(scope=project_of(Path.cwd()) if here else None)

    lines = with_memory(work, words_only=True, read_only=True)
    with click.open_file(file, "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in lines)
    # The first line names the format.
    click.echo(f"{counted(len(lines) - 1, 'memory')} written", err=file == "-")


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def import_(file: str) -> None:
    """Read memories from an export; one that is there already becomes what its line says."""

    async def work(memory: Memory) -> None:
        try:
            with click.open_file(file, encoding="utf-8") as lines:
                written = await memory.import_(lines)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{file!r} is no export: byte 0x{error.object[error.start]:02x} is not UTF-8.",
                hint="`manyhands memory export FILE` writes one.",
            ) from None
        told = (len(written.new), len(written.changed), len(written.same))
        click.echo("{} new, {} changed, {} known already".format(*told))

    with_memory(work)


@command.command("stats")
@click.option("--json", "as_json", is_flag=True)
def stats(as_json: bool) -> None:
    """How much is remembered, how it is searched, and whether the file is sound."""

    async def work(memory: Memory) -> dict[str, Any]:
        return await memory.stats()

    told = with_memory(work, words_only=True, read_only=True)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        listed = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(
            value, dict
        ) else value  # fmt: skip
        click.echo(f"{name:>12}  {listed}")


@command.command("index")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on taking in what changes; Ctrl-C ends it.")
@click.option("--words", is_flag=True, help="Do not embed now; no model server is asked.")
@click.option("--reembed", is_flag=True, help="Embed what has no vector of today's model yet.")
@click.option("--rebuild", is_flag=True, help="Make the derived indexes anew from the memories.")
def index(paths: tuple[Path, ...], watch: bool, words: bool, reembed: bool, rebuild: bool) -> None:
    """Remember the notebooks, Python, Markdown and table files under PATHS.

    Only what has changed is read; `.gitignore` is honoured.
    """
    from rich.console import Console
    from rich.progress import Progress

    from manyhands.memory.ingest.indexing import IndexReport, index_paths, watch_paths
    from manyhands.memory.opening import project_of
    from manyhands.trace.lines import counted

    if not (paths or reembed or rebuild):
        raise click.UsageError("Name what to index, for example: manyhands memory index .")
    scope = project_of(Path.cwd())

    def told(report: IndexReport) -> None:
        click.echo(
            f"{counted(report.files, 'file')}, {report.unchanged} unchanged; "
            f"{counted(report.added, 'piece')} new, {report.changed} changed, "
            f"{report.removed} removed"
        )
        for name, reason in report.refused:
            click.echo(f"  not read: {name}: {reason}", err=True)
        if not report.gitignore:
            click.echo("  git is not here: .gitignore was not honoured", err=True)

    async def work(memory: Memory) -> None:
        if rebuild:
            click.echo(f"{counted(await memory.rebuild(), 'memory')} indexed anew")
        console = Console(stderr=True)
        # a bar that no terminal shows would leave an empty line
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            if reembed:
                task = bar.add_task("embedding", total=None)
                sent = await memory.reembed(
                    lambda done, total: bar.update(task, completed=done, total=total)
                )
                click.echo(f"{counted(sent, 'text')} embedded")
            if paths:
                reading = bar.add_task("reading", total=None)
                report = await index_paths(
                    memory, list(paths), scope=scope,
                    progress=lambda done, total, name: bar.update(
                        reading, completed=done, total=total, description=name[:40] or "embedding"
                    ),
                )  # fmt: skip
                told(report)
        if watch:
            await watch_paths(memory, list(paths), scope=scope, told=told)

    try:
        with_memory(work, words_only=words, notices=not words)
    except KeyboardInterrupt:
        raise click.Abort from None


def _search(query: str, *, everywhere: bool, words: bool, **where: Any) -> list[Hit]:
    async def work(memory: Memory) -> list[Hit]:
        return await memory.recall(query, scope=scopes(everywhere), **where)

    return with_memory(work, words_only=words, notices=True)
