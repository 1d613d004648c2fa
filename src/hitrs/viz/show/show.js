/* A page of many recordings: where they come from, and the list in which they are found. */

const ROWS = 50;             // of a page of the list
let opening = 0;

/* ---- Where recordings come from: the page itself, or the server that served it. ---- */

async function ask(what, query) {
  const answer = await fetch(`${what}?${new URLSearchParams(query)}`);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

const served = {
  find: (query, offset, count) => ask("rows", { ...query, offset, count }),
  drawing: (id) => ask("drawing", { id }),
};

const embedded = {
  async find(query, offset, count) {
    const found = data.rows.filter((row) => matches(row, query));
    return { total: found.length, rows: found.slice(offset, offset + count) };
  },
  async drawing(id) {
    return data.drawings.find((drawing) => drawing.id === id);
  },
};

function matches(row, query) {
  const text = [row.name, ...row.labels, row.subject, row.said || ""].join(" ");
  return text.toLowerCase().includes(query.text.toLowerCase())
    && (!query.label || row.labels.includes(query.label))
    && (!query.subject || row.subject === query.subject)
    && (!query.answer || row.right === (query.answer === "right"));
}

const source = data.served ? served : embedded;

async function openRecording(id, beside = false) {
  if (beside && cards.some((card) => card.figure.id === id)) return;
  const asked = ++opening;
  stage.setAttribute("aria-busy", "true");
  try {
    const drawing = await source.drawing(id);
    if (asked !== opening) return; // another one was asked for meanwhile
    showCard(drawing, beside);
  } catch (error) {
    showNoCard(error.message);
  }
  stage.removeAttribute("aria-busy");
  if (stage.getBoundingClientRect().bottom < 100) stage.scrollIntoView(); // the list stands below on a phone
}

/* ---- The list. ---- */

const list = { offset: 0, total: 0, rows: [], asked: 0 };
const FIELDS = ["text", "label", "subject", "answer"];
const query = () => Object.fromEntries(FIELDS.map((name) => [name, byId(name).value]));

async function showRows() {
  const asked = ++list.asked; // a later question may be answered earlier
  let found;
  try {
    found = await source.find(query(), list.offset, ROWS);
  } catch (error) {
    byId("count").textContent = `No list: ${error.message}`;
    return;
  }
  if (asked !== list.asked) return;
  Object.assign(list, found);
  const all = data.served ? data.total : data.rows.length;
  byId("count").textContent = list.total === all ? counted(all, "recording")
    : `${list.total.toLocaleString("en")} of ${counted(all, "recording")}`;
  byId("rows").replaceChildren(...list.rows.map(rowOf));
  const last = Math.min(list.offset + ROWS, list.total);
  byId("range").textContent = list.total ? `${(list.offset + 1).toLocaleString("en")}–${last.toLocaleString("en")}` : "";
  byId("previous").disabled = list.offset === 0;
  byId("next").disabled = last >= list.total;
  byId("pages").hidden = list.total <= ROWS;
  byId("rows").scrollTop = 0;
  markRows();
}

function rowOf(row) {
  const labels = row.labels.slice(0, 3).join(", ") + (row.labels.length > 3 ? " …" : "");
  const length = row.seconds === null ? counted(row.frames, "frame") : `${row.seconds.toFixed(1)} s`;
  const about = [labels, row.subject && `subject ${row.subject}`, length].filter(Boolean).join(" · ");
  const open = element("button", { type: "button", className: "row" }, element("span", {}, row.name), element("small", {}, about));
  if (row.said) {
    const mark = row.right === false ? "✗ wrong: " : row.right ? "✓ right: " : "";
    open.append(element("small", { className: row.right === false ? "wrong" : "" }, mark + row.said));
  }
  const beside = element("button", { type: "button", className: "beside", title: "Show beside", "aria-label": `Show ${row.name} beside` }, "+");
  open.onclick = () => openRecording(row.id);
  beside.onclick = () => openRecording(row.id, true);
  return element("li", { "data-id": row.id }, open, beside);
}

function markRows() {
  const shown = new Set(cards.map(({ figure }) => figure.id));
  for (const item of byId("rows").children) {
    item.firstChild.setAttribute("aria-current", shown.has(Number(item.getAttribute("data-id"))));
  }
}

function changePage(by) {
  list.offset = Math.max(0, list.offset + by * ROWS);
  showRows();
}

/* The recording before or behind the one that is shown, in the list. */
function openNeighbor(by) {
  const place = list.rows.findIndex((row) => cards.length && row.id === cards[0].figure.id);
  const row = list.rows[place < 0 ? 0 : place + by];
  if (row) openRecording(row.id);
}

function fillSelect(select, names) {
  for (const name of names) select.append(element("option", { value: name }, name));
  select.parentElement.hidden = !names.length;
}

/* ---- Start. ---- */

Object.assign(KEYS, { n: () => openNeighbor(1), p: () => openNeighbor(-1) });
stage.addEventListener("cards", markRows);

function start() {
  byId("about").append(...data.about.map((line) => element("li", {}, line)));
  byId("previous").onclick = () => changePage(-1);
  byId("next").onclick = () => changePage(1);
  for (const name of FIELDS) byId(name).addEventListener("input", () => { list.offset = 0; showRows(); });
  document.querySelector("form").onsubmit = (event) => event.preventDefault();
  fillSelect(byId("label"), data.classes);
  fillSelect(byId("subject"), data.subjects);
  byId("answer").parentElement.hidden = !data.compared;
  const several = data.served ? data.total > 1 : data.rows.length > 1;
  byId("list").hidden = !several;
  document.querySelector("main").classList.toggle("listed", several);
  repaint();
  return showRows();
}

start().then(async () => {
  for (const row of list.rows.slice(0, data.beside)) await openRecording(row.id, true);
});
