
"use strict";
{
  const table = document.getElementById("overview");
  const body = table.tBodies[0];
  const cards = document.getElementById("cards");
  const shown = document.getElementById("shown");
  const filter = document.getElementById("filter");
  const search = document.getElementById("search");
  const recordings = Array.from(body.rows, (row) => ({ row, card: document.getElementById(row.dataset.card) }));
  const naturally = new Intl.Collator("en", { numeric: true });

  function compare(key, as) {
    if (as === "text") return (a, b) => naturally.compare(a.row.dataset[key], b.row.dataset[key]);
    return (a, b) => a.row.dataset[key] - b.row.dataset[key];
  }

  function sort(heading) {
    const { key, as } = heading.dataset;
    const first = as === "text" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const ascending = compare(key, as);
    recordings.sort(order === "ascending" ? ascending : (a, b) => ascending(b, a));
    body.append(...recordings.map((recording) => recording.row));
    cards.append(...recordings.map((recording) => recording.card));
  }

  function select() {
    const wanted = filter.value.split(" ").filter(Boolean);
    const text = search.value.toLowerCase();
    let count = 0;
    for (const { row, card } of recordings) {
      const labels = row.dataset.labels.split(" ");
      const kept = (!wanted.length || wanted.some((label) => labels.includes(label)))
        && row.dataset.file.toLowerCase().includes(text);
      row.hidden = card.hidden = !kept;
      count += kept;
    }
    shown.textContent = `${count} of ${recordings.length} shown`;
  }

  for (const heading of table.querySelectorAll("th[data-key]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(heading));
    heading.append(button);
  }
  filter.addEventListener("change", select);
  search.addEventListener("input", select);
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("controls").hidden = false;
  select();

  const within = (audio, atS) => atS >= Number(audio.dataset.start) && atS < Number(audio.dataset.end);

  function playFrom(audio, atS) {
    const seek = () => { audio.currentTime = atS - audio.dataset.start; };
    if (audio.readyState > 0) seek();
    else audio.addEventListener("loadedmetadata", seek, { once: true });
    audio.play();
  }

  function drawPlayhead(figure, audio) {
    const at = 100 * (Number(audio.dataset.start) + audio.currentTime) / figure.dataset.span;
    const line = figure.querySelector(".playhead");
    line.setAttribute("x1", `${at}%`);
    line.setAttribute("x2", `${at}%`);
    if (!audio.paused) requestAnimationFrame(() => drawPlayhead(figure, audio));
  }

  function makePlayable(card, players) {
    const figure = card.querySelector(".picture");
    figure.classList.add("playable");
    for (const audio of players) {
      audio.addEventListener("play", () => {
        for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
        drawPlayhead(figure, audio);
      });
      audio.addEventListener("seeked", () => drawPlayhead(figure, audio));
    }
    figure.querySelector(".sound").addEventListener("click", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      const atS = (event.clientX - box.left) / box.width * figure.dataset.span;
      const audio = players.find((player) => within(player, atS));
      if (audio) playFrom(audio, atS);
    });
    for (const time of card.querySelectorAll(".seek")) {
      const audio = players.find((player) => within(player, Number(time.dataset.at)));
      if (!audio) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "seek";
      button.title = "Play from here";
      button.textContent = time.textContent;
      button.addEventListener("click", () => playFrom(audio, Number(time.dataset.at)));
      time.replaceWith(button);
    }
  }

  for (const { card } of recordings) {
    const players = Array.from(card.querySelectorAll("audio"));
    if (players.length) makePlayable(card, players);
  }

  let guideWasOpen = false;
  const guide = document.getElementById("guide");
  addEventListener("beforeprint", () => { guideWasOpen = guide.open; guide.open = true; });
  addEventListener("afterprint", () => { guide.open = guideWasOpen; });
}
