"""What holds the pages together: routes, menu, home page."""

from __future__ import annotations

from serve.models.blueprint.app_model import AppModel, Entity, FieldKind, Widget
from serve.models.blueprint.code_names import in_sentence, label_key
from serve.models.blueprint.render import fill, jsx_text, literal


def app_file(model: AppModel, *, without_edit: str = "", blank: bool = False) -> str:
    imports = [
        'import { HomePage } from "./pages/HomePage.tsx";\n',
        'import { NotFoundPage } from "./pages/NotFoundPage.tsx";\n',
    ]
    routes: list[str] = []
    if model.widget is not Widget.NONE and model.entities:
        imports.append('import { PlayPage } from "./pages/PlayPage.tsx";\n')
        routes.append(_route("/play", "PlayPage"))
    for entity in model.entities:
        for kind, path in _pages_of(entity, without_edit):
            component = {"List": f"{entity.type_name}ListPage"}.get(
                kind, f"{kind}{entity.type_name}Page"
            )
            imports.append(f'import {{ {component} }} from "./pages/{entity.key}/{kind}.tsx";\n')
            routes.append(_route(path, component))
    return fill(
        "app.tsx",
        imports="".join(sorted(imports)),
        routes="".join(routes),
        # The fault `blank-page`: nothing is ever drawn.
        before="  if (window.location.pathname) return null;\n" if blank else "",
    )


def _pages_of(entity: Entity, without_edit: str) -> list[tuple[str, str]]:
    pages = [("List", entity.path), ("New", f"{entity.path}/new")]
    if entity.name != without_edit:
        pages.append(("Edit", f"{entity.path}/:id/edit"))
    return pages


def _route(path: str, component: str) -> str:
    return f'        <Route path="{path}" component={{{component}}} />\n'


def navigation(model: AppModel) -> str:
    play = model.widget is not Widget.NONE and bool(model.entities)
    entries = [("/play", model.widget.value.capitalize())] if play else []
    entries += [(e.path, e.label_plural) for e in model.entities]
    lines = [f'  {{ path: "{path}", label: {literal(label)} }},\n' for path, label in entries]
    return fill("navigation.ts", title=literal(model.title), entries="".join(lines))


def dashboard(model: AppModel) -> str:
    queries, cards = [], []
    for entity in model.entities:
        query = f"{entity.key}Query"
        queries.append(
            f"  const {query} = useQuery(trpc.{entity.key}.list.queryOptions({{ limit: 3 }}));\n"
        )
        cards.append(
            fill(
                "home_card.tsx",
                path=entity.path,
                labels=jsx_text(entity.label_plural),
                new_text=jsx_text(f"New {in_sentence(entity.label)}"),
                none=jsx_text(f"No {in_sentence(entity.label_plural)} yet."),
                shown=_shown(entity),
                query=query,
            )
        )
    return fill(
        "home_dashboard.tsx",
        queries="".join(queries),
        cards="".join(cards),
        description='"Everything at a glance."',
    )


def _shown(entity: Entity) -> str:
    """What names a row: of a reference its words, not its number."""
    field = entity.display
    return label_key(field) if field.kind is FieldKind.REFERENCE else field.key
