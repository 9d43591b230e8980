// Validation images with the predictions of the chosen rows.

const PICTURED_AT_FIRST = 8;

function tile(words, under, over) {
  const images = [
    ...(under ? [el("img", { class: "under", src: under, alt: over ? "" : words })] : []),
    ...(over ? [el("img", { src: over, alt: words })] : []),
  ];
  return el("figure", { class: under && !over ? "tile alone" : "tile" },
    el("div", {}, ...images), el("figcaption", {}, words));
}

function startPictures() {
  const place = document.querySelector(".pictures");
  if (!place || !DATA.pictures.length) return;
  const pictured = new Set(DATA.pictures.flatMap((picture) => Object.keys(picture.predictions)));
  const order = [...Object.keys(DATA.rows), ...pictured];
  const rows = [...new Set(order)].filter((row) => pictured.has(row));
  const first = firstChosen(rows, PICTURED_AT_FIRST);
  chooser("pictures", rows, first, () => [], (chosen) => {
    place.replaceChildren(...DATA.pictures.map((picture) =>
      el("article", { class: "picture" }, el("h3", {}, picture.name),
        el("div", { class: "tiles" },
          tile("image", picture.image, null),
          tile("ground truth", null, picture.ground_truth),
          ...chosen.filter((row) => row in picture.predictions)
            .map((row) => tile(label(row), picture.image, picture.predictions[row]))))));
  });
  document.getElementById("over-image").addEventListener("change", (event) => {
    place.classList.toggle("plain", !event.target.checked);
  });
}
