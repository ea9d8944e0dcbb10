"""Who is signed in to the pages: enterprises, operators, departments. A session opens pages; it signs nothing, and what
is about an enterprise needs the enterprise's own key as well."""
