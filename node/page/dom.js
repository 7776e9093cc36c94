// What the page is drawn with: elements, lists that keep their elements, tables. Text is only text.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; a child is an element or text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set a text only where it changes, so that nobody is told of it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show a text, or nothing at all. */
export function show(element, text) {
  element.hidden = text === "";
  say(element, text);
}

/** Bring a parent's children in line with items; who stays keeps its element and the focus. */
export function keep(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const element = old.get(key) ?? create(item);
    element.dataset.key = key;
    old.delete(key);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    update(element, item);
  }
  for (const element of old.values()) element.remove();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus();
}

/**
 * Draw the rows of a table. A column has `text` (item to text) and may have `name` (a class), `bar`
 * (item to a share from 0 to 1), `marks` (item to [name of a class, share] along a line) or `press`
 * (what a button of that text does with the item). The first column is the head of its row.
 */
export function rows(table, items, keyOf, columns, classOf = () => "") {
  const create = () => {
    const row = make("tr");
    columns.forEach((column, number) => {
      const cell = make(number ? "td" : "th", number ? {} : { scope: "row" });
      cell.className = column.name ?? "";
      if (column.bar) cell.append(make("span", { class: "fill", "aria-hidden": "true" }));
      if (column.marks) cell.append(make("span", { class: "track", "aria-hidden": "true" }));
      const text = make(column.press ? "button" : "span");
      if (column.press) {
        text.type = "button";
        text.className = "quiet";
        text.addEventListener("click", () => column.press(row.item));
      }
      cell.append(text);
      row.append(cell);
    });
    return row;
  };
  keep(table.tBodies[0], items, keyOf, create, (row, item) => {
    row.item = item;
    row.className = classOf(item);
    columns.forEach((column, number) => {
      const cell = row.cells[number];
      say(cell.lastElementChild, column.text?.(item) ?? "");
      if (column.marks) drawMarks(cell.firstElementChild, column.marks(item));
      if (column.bar) cell.style.setProperty("--share", String(column.bar(item)));
      if (column.label) cell.lastElementChild.setAttribute("aria-label", column.label(item));
    });
  });
}

function drawMarks(track, marks) {
  keep(
    track,
    marks,
    ([name]) => name,
    () => make("i"),
    (element, [name, share]) => {
      element.className = `is-${name}`;
      element.style.setProperty("--at", String(share));
    },
  );
}

/** Draw a list of facts: [name, value, what is beside it]. */
export function facts(list, items) {
  const create = () => make("div", {}, make("dt"), make("dd", {}, make("span"), make("small")));
  keep(
    list,
    items,
    ([name]) => name,
    create,
    (element, [name, value, more = ""]) => {
      const [term, detail] = element.children;
      say(term, name);
      say(detail.firstElementChild, value);
      show(detail.lastElementChild, more);
    },
  );
}
