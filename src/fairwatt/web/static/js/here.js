// On a small screen the pages of the desk stand in one row that scrolls: show where we are.
"use strict";
document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
