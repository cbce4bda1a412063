"""The claims ledger as a table in a page: filtered and sorted by plain JavaScript, without a network."""

from collections.abc import Sequence
from html import escape

from icsilib.study.claims import Arithmetic, Claim, Measured
from icsilib.study.evidence import place_of
from icsilib.study.verdicts import VERDICTS, Verdict

KINDS = ("arithmetic", "summary", "construction", "run", "authors", "untestable")

_STYLE = """
<style>
.ledger { font-size: 0.85rem; }
.ledger .controls { display: flex; flex-wrap: wrap; gap: 0.6rem; align-items: end; margin: 0.6rem 0; }
.ledger .controls label { display: flex; flex-direction: column; font-size: 0.8rem; }
.ledger input, .ledger select { font: inherit; padding: 0.2rem 0.4rem; max-width: 14rem; }
.ledger .scroll { overflow: auto; max-height: 75vh; border: 1px solid #8886; }
.ledger table { border-collapse: collapse; width: 100%; margin: 0; }
.ledger th { position: sticky; top: 0; background: var(--pst-color-surface, #f3f4f5); text-align: left; padding: 0; }
.ledger th button { all: unset; cursor: pointer; padding: 0.4rem; font-weight: 600; white-space: nowrap; }
.ledger th button:focus-visible { outline: 2px solid currentColor; }
.ledger th[aria-sort=ascending] button::after { content: " ▲"; }
.ledger th[aria-sort=descending] button::after { content: " ▼"; }
.ledger td { padding: 0.35rem 0.4rem; vertical-align: top; text-align: left; border-top: 1px solid #8884; }
.ledger tr:target { outline: 2px solid #0072B2; }
.ledger .id { font-family: monospace; font-size: 0.75rem; overflow-wrap: anywhere; }
.ledger q { display: block; min-width: 11rem; }
.ledger .verdict { font-weight: 600; border-left: 0.35rem solid; padding-left: 0.35rem; display: inline-block; }
.ledger .agrees { border-color: #009E73; } .ledger .differs { border-color: #D55E00; }
.ledger .inconsistent { border-color: #CC79A7; } .ledger .open { border-color: #E69F00; }
.ledger .not { border-color: #7F7F7F; }
</style>
"""

_SCRIPT = """
<script>
(() => {
  const ledger = document.currentScript.closest(".ledger");
  const rows = [...ledger.querySelectorAll("tbody tr")];
  const controls = [...ledger.querySelectorAll("[data-filter]")];
  const filter = () => {
    let shown = 0;
    for (const row of rows) {
      row.hidden = !controls.every(({ value, dataset }) => dataset.filter === "text"
        ? row.textContent.toLowerCase().includes(value.toLowerCase())
        : !value || row.dataset[dataset.filter] === value);
      shown += !row.hidden;
    }
    ledger.querySelector("output").textContent = `${shown} of ${rows.length} checks`;
  };
  const sort = (column, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const order = (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true });
    rows.sort((a, b) => down ? order(b, a) : order(a, b));
    ledger.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    ledger.querySelector("tbody").append(...rows);
  };
  controls.forEach(control => control.addEventListener("input", filter));
  ledger.querySelectorAll("th").forEach((heading, column) =>
    heading.querySelector("button").addEventListener("click", () => sort(column, heading)));
  filter();
})();
</script>
"""


def ledger_table(here: Sequence[Verdict], reference: Sequence[Verdict]) -> str:
    """HTML of the ledger, one row a check: published, this run, reference run, and links to what made them.

    `here` and `reference` are the same checks judged with the results of this run and of the reference run.
    """
    headings = "".join(
        f'<th scope="col"><button type="button">{name}</button></th>'
        for name in ("Claim", "Published", "Check", "This run", "Reference run", "Evidence")
    )
    seen: set[str] = set()
    rows = "".join(_row(one, other, seen) for one, other in zip(here, reference, strict=True))
    return (
        f'<div class="ledger">{_STYLE}{_controls()}<div class="scroll" tabindex="0" role="region" '
        f'aria-label="Claims ledger"><table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{_SCRIPT}</div>"
    )


def _controls() -> str:
    choices = {"paper": ("A", "B"), "kind": KINDS, "verdict": VERDICTS}
    selects = "".join(
        f'<label>{name}<select data-filter="{name}"><option value="">all</option>'
        + "".join(f"<option>{choice}</option>" for choice in options)
        + "</select></label>"
        for name, options in choices.items()
    )
    search = '<label>words<input type="search" data-filter="text" placeholder="needle, Table 1, …"></label>'
    return f'<div class="controls">{search}{selects}<output aria-live="polite"></output></div>'


def _row(here: Verdict, reference: Verdict, seen: set[str]) -> str:
    claim, check = here.claim, here.check
    anchor = "" if claim.id in seen else f' id="claim-{claim.id}"'
    seen.add(claim.id)
    cells = (
        f'<td data-sort="{claim.id}"><span class="id">{claim.id}</span><q>{escape(claim.quote)}</q>'
        f"{escape(claim.where)}</td><td>{escape(_published(claim))}</td><td>{check.kind}</td>"
        f"{_outcome(here)}{_outcome(reference, link=True)}<td>{_evidence(here)}</td>"
    )
    return f'<tr{anchor} data-paper="{claim.paper}" data-kind="{check.kind}" data-verdict="{here.word}">{cells}</tr>'


def _published(claim: Claim) -> str:
    return "" if claim.value is None else f"{_number(claim.value)} {claim.unit}".strip()


def _outcome(verdict: Verdict, link: bool = False) -> str:
    interval = f" ({_number(verdict.interval[0])} to {_number(verdict.interval[1])})" if verdict.interval else ""
    found = "" if verdict.found is None else _number(verdict.found) + interval
    if verdict.check.kind == "summary":
        found = f"p = {found}"
    badge = f'<span class="verdict {verdict.word.split()[0]}">{escape(verdict.label)}</span>'
    text = escape(found)
    if link and found and isinstance(verdict.check, Measured):
        text = f'<a href="results/reference/{verdict.check.results.split(":")[0]}.json">{text}</a>'
    return f'<td data-sort="{verdict.word} {escape(found)}">{badge}<br>{text}</td>'


def _evidence(verdict: Verdict) -> str:
    check, note = verdict.check, escape(verdict.because)
    if isinstance(check, Arithmetic):
        return f"<code>{escape(check.expression)}</code> {note}"
    if not isinstance(check, Measured):
        return note
    results, key = check.results.split(":")
    if verdict.word == "open" and verdict.cell is None:  # nothing was measured
        return note
    near = f"within {check.tolerance:g} of" if check.tolerance else "exactly"
    sign = {"equal": near, "at_least": "at least", "at_most": "at most"}.get(check.compare)
    wanted = "" if verdict.claim.value is None or sign is None else f" Held to be {sign} the figure."
    place = place_of(results, key, verdict.cell).address
    return f'<a href="{place}">notebook</a>, <a href="results/{results}.json">{escape(key)}</a>.{wanted} {note}'


def _number(value: float | int | bool | str) -> str:
    if isinstance(value, bool):
        return "holds" if value else "does not hold"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 1000 else f"{value:.4g}"
