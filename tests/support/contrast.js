() => {
  const channels = (text) => {
    const found = text.match(/[\d.]+/g).map(Number);
    const [r, g, b] = text.startsWith("color(") ? found.slice(-4).map((one) => one * 255) : found;
    return [r, g, b, found.length > 3 ? found[3] : 1];
  };
  const over = (front, back) =>
    front.slice(0, 3).map((one, at) => one * front[3] + back[at] * (1 - front[3]));
  const light = (colour) => {
    const [r, g, b] = colour
      .map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const own = [];
    for (let one = element; one; one = one.parentElement)
      own.unshift(channels(getComputedStyle(one).backgroundColor));
    const bar = element.closest("td")?.querySelector(".fill");
    if (bar) own.push(channels(getComputedStyle(bar).backgroundColor));
    return own.reduce((back, front) => over(front, back), [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes]
      .filter((one) => one.nodeType === 3)
      .map((one) => one.data.trim())
      .join("");
    if (!text || !element.checkVisibility() || element.closest(".unseen, .skip, noscript"))
      continue;
    const back = behind(element);
    const front = over(channels(getComputedStyle(element).color), back);
    const [low, high] = [light(front), light(back)].sort((one, other) => one - other);
    found.push([(high + 0.05) / (low + 0.05), element.tagName, text.slice(0, 40)]);
  }
  return found;
};
