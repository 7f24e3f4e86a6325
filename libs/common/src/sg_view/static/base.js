// What every part of the view uses: elements, words and numbers.
"use strict";
(() => {
  const view = (window.SilverGuardian = {});

  /** An element. `properties` are its attributes; those that are functions listen to the event of that name. */
  view.element = (tag, properties = {}, ...children) => {
    const [name, space] = tag.startsWith("svg:") ? [tag.slice(4), "http://www.w3.org/2000/svg"] : [tag, null];
    const made = space ? document.createElementNS(space, name) : document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") made.addEventListener(key, value);
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return made;
  };

  /** Words of one language: `words("key", {name: value})`, the key itself where nobody has words for it. */
  view.speaker = (catalogue) => {
    const say = (key, values = {}) =>
      (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
    say.knows = (key) => key in catalogue;
    return say;
  };

  /** Seconds as a player shows them: m:ss or h:mm:ss, with tenths where a stretch is short. */
  view.clock = (seconds, tenths = false) => {
    const units = tenths ? Math.floor(seconds * 10 + 1e-6) / 10 : Math.floor(seconds + 1e-6);
    const hours = Math.floor(units / 3600);
    const minutes = Math.floor((units % 3600) / 60);
    const rest = (units % 60).toFixed(tenths ? 1 : 0).padStart(tenths ? 4 : 2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };

  view.number = (value) => Number(value).toFixed(2);

  /** Numbers with as many digits as it takes to see which is larger. */
  view.apart = (value, ...others) => {
    const close = others.some((other) => other !== value && view.number(other) === view.number(value));
    return [value, ...others].map((each) => Number(each).toFixed(close ? 4 : 2));
  };

  /** A table with a caption, for whoever can't see a picture. */
  view.table = (say, heads, rows) =>
    view.element(
      "details",
      { class: "table" },
      view.element("summary", {}, say("table")),
      view.element(
        "table",
        {},
        view.element("thead", {}, view.element("tr", {}, heads.map((head) => view.element("th", { scope: "col" }, head)))),
        view.element(
          "tbody",
          {},
          rows.map((row) => view.element("tr", {}, row.map((cell) => view.element("td", {}, String(cell))))),
        ),
      ),
    );
})();
